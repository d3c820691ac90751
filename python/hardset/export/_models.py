"""Loads a model of timm, torchvision, transformers or a file of Python, with its own preprocessing.

Does not export and does not check. Holds always: the model is in evaluation mode, and `own` is the preprocessing that
its library gives for evaluation, in Pillow's arithmetic.
"""

from __future__ import annotations

import contextlib
import importlib.util
import re
import shutil
import sys
import traceback
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .._errors import BadInput, HardsetError, Missing, first_line
from .._optional import need
from ._preprocess import Preprocess, of_processor, of_transform

EXTRA = "export"
#: Kinds of models, before the `:`.
KINDS = ("timm", "torchvision", "transformers")
#: Weights that a message names.
NAMED = 4
#: Modules that the last file of the user imported from its own folder.
_beside: set[str] = set()


@dataclass(frozen=True)
class Ask:
    """What is asked for."""

    #: `timm:NAME`, `torchvision:NAME[@WEIGHTS]`, `transformers:ID or folder`, `FILE.py:FUNCTION`.
    source: str
    #: A state dict, instead of the library's weights.
    weights: Path | None = None
    #: Random weights, of seed 0.
    random: bool = False
    #: Number of classes, if the model's is not wanted.
    classes: int | None = None


@dataclass
class Classifier:
    """A model that gives `[n, classes]` for `[n, 3, h, w]`."""

    name: str
    module: Any
    preprocess: Preprocess
    #: The model's own preprocessing, from a picture to `[3, h, w]`.
    own: Callable[[Image.Image], Any]
    #: Names of the classes, where the model says them.
    labels: list[str] | None = None


@dataclass
class TwoTowers:
    """A model that gives rows of pictures and rows of texts: CLIP, SigLIP."""

    name: str
    #: The model as its library has it.
    whole: Any
    #: From `[n, 3, h, w]` to rows of pictures.
    image_tower: Any
    #: From token ids `[n, positions]` to rows of texts.
    text_tower: Any
    preprocess: Preprocess
    own: Callable[[Image.Image], Any]
    tokenizer: Any
    #: The file `tokenizer.json`.
    tokenizer_file: Path
    positions: int
    scale: float
    bias: float
    #: `softmax` or `sigmoid`.
    activation: str
    #: What is done to a text first.
    clean: str
    templates: list[str] = field(default_factory=list)


def load(ask: Ask) -> Classifier | TwoTowers:
    """The model, ready to be called."""
    torch = need("torch", extra=EXTRA)
    torch.manual_seed(0)
    kind, _, rest = ask.source.partition(":")
    if ask.random and ask.weights:
        raise BadInput("--random and --weights exclude each other")
    if not rest:
        raise BadInput(f"{ask.source}: write timm:NAME, torchvision:NAME, transformers:ID or FILE.py:FUNCTION")
    if kind == "timm":
        model: Classifier | TwoTowers = _timm(rest, ask)
    elif kind == "torchvision":
        model = _torchvision(rest, ask)
    elif kind == "transformers":
        model = _transformers(rest, ask)
    else:
        model = _own_file(ask)
    if ask.weights:
        if not isinstance(model, Classifier):
            raise BadInput("--weights is of classifiers; a model of two towers has its weights in its folder")
        _load_weights(model.module, ask.weights)
    for module in (model.module,) if isinstance(model, Classifier) else (model.image_tower, model.text_tower):
        if any(tensor.is_meta for tensor in (*module.parameters(), *module.buffers())):
            raise BadInput(f"{ask.source}: has weights without numbers (device meta); load them before it is returned")
        # Weights may be of half precision; scorers give and take f32.
        module.float().cpu().eval().requires_grad_(False)
    return model


def _timm(name: str, ask: Ask) -> Classifier:
    timm = need("timm", extra=EXTRA)
    data = need("timm.data", extra=EXTRA)
    if not timm.is_model(name.partition(".")[0]):
        close = timm.list_models(f"*{name[:6]}*")[:5]
        raise BadInput(f"timm has no model {name}" + (f"; close: {', '.join(close)}" if close else ""))
    pretrained = not ask.random and ask.weights is None
    options = {} if ask.classes is None else {"num_classes": ask.classes}
    module = _fetched(lambda: timm.create_model(name, pretrained=pretrained, **options), name, pretrained)
    config = data.resolve_data_config({}, model=module)
    if config["input_size"][0] != 3:
        raise BadInput(f"{name}: takes {config['input_size'][0]} channels; hardset gives three")
    if config.get("crop_mode") == "border":
        raise BadInput(f"{name}: pads pictures (crop_mode border), which a scorer's TOML cannot say")
    own = data.create_transform(**config, is_training=False)
    labels = (module.pretrained_cfg or {}).get("label_names")
    return Classifier(plain(name), module, of_transform(own), own, list(labels) if labels else None)


def _torchvision(name: str, ask: Ask) -> Classifier:
    models = need("torchvision.models", extra=EXTRA)
    name, _, variant = name.partition("@")
    try:
        known = models.get_model_weights(name)
    except ValueError:
        raise BadInput(f"torchvision has no model {name}") from None
    try:
        weights = known[variant] if variant else known.DEFAULT
    except KeyError:
        raise BadInput(f"{name}: has no weights {variant}; there are {', '.join(known.__members__)}") from None
    pretrained = not ask.random and ask.weights is None
    options: dict[str, Any] = {} if ask.classes is None else {"num_classes": ask.classes}
    if not pretrained and name in ("googlenet", "inception_v3"):
        options |= {"init_weights": True, "aux_logits": False}
    made = _fetched(
        lambda: models.get_model(name, weights=weights if pretrained else None, **options), name, pretrained
    )
    own = weights.transforms()
    labels = weights.meta.get("categories") if ask.classes is None else None
    return Classifier(plain(name), made, of_transform(own), own, list(labels) if labels else None)


def _own_file(ask: Ask) -> Classifier:
    path, _, function = ask.source.rpartition(":")
    file = Path(path)
    if file.suffix != ".py":
        raise BadInput(f"{ask.source}: write timm:NAME, torchvision:NAME, transformers:ID or FILE.py:FUNCTION")
    if not file.is_file():
        raise BadInput(f"{file}: is not a file")
    made = _built(file, function)
    if not isinstance(made, tuple) or len(made) != 2:
        raise BadInput(
            f"{ask.source}: returns a {type(made).__name__}; return (model, transform), with a torchvision Compose of "
            "Resize, CenterCrop, ToTensor and Normalize"
        )
    module, own = made
    if not isinstance(module, need("torch.nn", extra=EXTRA).Module):
        raise BadInput(f"{ask.source}: returns a {type(module).__name__} as model; return a torch.nn.Module")
    return Classifier(plain(file.stem), module, of_transform(own), own)


def _built(file: Path, function: str) -> Any:
    """What `function` of the user's `file` returns. The file may import others beside it."""
    with _importable(file.resolve().parent):
        imported = _imported(file)
        build = getattr(imported, function, None)
        if not callable(build):
            raise BadInput(f"{file}: has no function {function}")
        try:
            return build()
        except (Exception, SystemExit) as error:  # of the user's code
            raise BadInput(f"{file}:{function}: raises {error!r}{_line(error, file)}") from error


def _imported(file: Path) -> Any:
    """The module, under a name that no other module has: dataclasses look themselves up by it."""
    name = f"hardset_model_{file.stem}"
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise BadInput(f"{file}: cannot be imported")
    imported = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(imported)
    except (Exception, SystemExit) as error:  # of the user's code
        del sys.modules[name]
        raise BadInput(f"{file}: cannot be imported: {error!r}{_line(error, file)}") from error
    return imported


@contextlib.contextmanager
def _importable(folder: Path) -> Iterator[None]:
    """Lets Python import from `folder` first."""
    # Another file's neighbours may have the same names.
    for name in _beside:
        sys.modules.pop(name, None)
    before = set(sys.modules)
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        with contextlib.suppress(ValueError):
            sys.path.remove(str(folder))
        _beside.clear()
        _beside.update(name for name in set(sys.modules) - before if _is_in(folder, name))


def _is_in(folder: Path, name: str) -> bool:
    """Whether a module is a file of `folder`, or of a package there. A virtual environment below it has others."""
    file = getattr(sys.modules[name], "__file__", None)
    top = folder / name.partition(".")[0]
    return file is not None and (Path(file) == top.with_suffix(".py") or Path(file).is_relative_to(top))


def _line(error: BaseException, file: Path) -> str:
    """The last line of `file` that ran before `error`, in words."""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if Path(frame.filename) == file.absolute()]
    return f", in line {lines[-1]}" if lines else ""


def _transformers(source: str, ask: Ask) -> Classifier | TwoTowers:
    library = need("transformers", extra=EXTRA)
    config = _fetched(lambda: library.AutoConfig.from_pretrained(source), source, True)
    processor = _fetched(lambda: _image_processor(library, source), source, True)
    if hasattr(config, "text_config") and hasattr(config, "vision_config"):
        return _two_towers(library, config, processor, ask)
    auto = library.AutoModelForImageClassification
    if ask.random or ask.weights:
        if ask.classes is not None:
            config.num_labels = ask.classes
        module = auto.from_config(config)
    else:
        module = _pretrained(auto, source)
    labels = [str(module.config.id2label[at]) for at in range(module.config.num_labels)]
    generic = all(re.fullmatch(r"LABEL_\d+", label) for label in labels)
    own = OfProcessor(processor)
    return Classifier(
        plain(Path(source).name), _logits_of(module), of_processor(processor), own, None if generic else labels
    )


def _pretrained(auto: Any, source: str) -> Any:
    """The model of transformers, with all its weights: it makes random ones where a checkpoint has none."""
    module, found = _fetched(lambda: auto.from_pretrained(source, output_loading_info=True), source, True)
    # How many batches were seen in training says nothing in evaluation mode.
    lacks = sorted(str(name) for name in found["missing_keys"] if not str(name).endswith(".num_batches_tracked"))
    if lacks:
        more = f" and {len(lacks) - NAMED} others" if len(lacks) > NAMED else ""
        raise BadInput(
            f"{source}: its weights lack {', '.join(lacks[:NAMED])}{more}, which would be random numbers; take a "
            f"checkpoint of a {type(module).__name__} that was trained whole"
        )
    return module


def _image_processor(library: Any, source: str) -> Any:
    # Other backends resize tensors, which differs from Pillow by a level here and there.
    pillow = {"backend": "pil"} if int(library.__version__.partition(".")[0]) >= 5 else {"use_fast": False}
    return library.AutoImageProcessor.from_pretrained(source, **pillow)


class OfProcessor:
    """An image processor of transformers as a function of one picture; workers of a data loader can have it."""

    def __init__(self, processor: Any) -> None:
        self.processor = processor

    def __call__(self, image: Image.Image) -> Any:
        """`[3, h, w]`."""
        return self.processor(images=image, return_tensors="pt")["pixel_values"][0]


def _logits_of(module: Any) -> Any:
    """The module with its logits as the only output."""
    nn = need("torch.nn", extra=EXTRA)

    class Logits(nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.model = module

        def forward(self, image: Any) -> Any:
            return self.model(pixel_values=image).logits

        def load_state_dict(self, state: Any, strict: bool = True) -> Any:
            return self.model.load_state_dict(state, strict=strict)

    return Logits()


def _two_towers(library: Any, config: Any, processor: Any, ask: Ask) -> TwoTowers:
    torch = need("torch", extra=EXTRA)
    source = ask.source.partition(":")[2]
    model = library.AutoModel.from_config(config) if ask.random else _pretrained(library.AutoModel, source)
    if not hasattr(model, "get_image_features") or not hasattr(model, "logit_scale"):
        raise BadInput(f"{source}: a {type(model).__name__} is not a model of two towers that hardset knows")
    tokenizer = _fetched(lambda: library.AutoTokenizer.from_pretrained(source), source, True)
    image_tower, text_tower = _tower_modules(model)
    tokenizer_file = _tokenizer_file(library, source, tokenizer)
    bias: Any = getattr(model, "logit_bias", None)
    sigmoid = bias is not None
    return TwoTowers(
        name=plain(Path(source).name),
        whole=model,
        image_tower=image_tower,
        text_tower=text_tower,
        preprocess=of_processor(processor),
        own=OfProcessor(processor),
        tokenizer=tokenizer,
        tokenizer_file=tokenizer_file,
        positions=int(config.text_config.max_position_embeddings),
        scale=float(torch.exp(model.logit_scale.detach()).item()),
        bias=float(bias.detach().item()) if sigmoid else 0.0,
        activation="sigmoid" if sigmoid else "softmax",
        clean=_clean(tokenizer, tokenizer_file, str(config.model_type)),
        templates=["This is a photo of {}."] if sigmoid else ["a photo of a {}."],
    )


def _clean(tokenizer: Any, file: Path, kind: str) -> str:
    """`lower` where the model wants lower case and its tokenizer.json, which the program has, does not make it."""
    wants = kind == "siglip2" or bool(tokenizer.init_kwargs.get("do_lower_case"))
    plain = need("tokenizers", extra=EXTRA).Tokenizer.from_file(str(file))
    makes = plain.encode("A Photo").ids == plain.encode("a photo").ids
    return "lower" if wants and not makes else "as-is"


def _tower_modules(model: Any) -> tuple[Any, Any]:
    nn = need("torch.nn", extra=EXTRA)

    def rows(found: Any) -> Any:
        # transformers 5 gives an output with the rows in pooler_output, transformers 4 the rows.
        return found if hasattr(found, "shape") else found.pooler_output

    class ImageTower(nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, pixel_values: Any) -> Any:
            return rows(self.model.get_image_features(pixel_values=pixel_values))

    class TextTower(nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, input_ids: Any) -> Any:
            return rows(self.model.get_text_features(input_ids=input_ids))

    return ImageTower(), TextTower()


def _tokenizer_file(library: Any, source: str, tokenizer: Any) -> Path:
    if Path(source).is_dir():
        file = Path(source) / "tokenizer.json"
        if file.is_file():
            return file
        raise BadInput(
            f"{source}: has no tokenizer.json; write it with AutoTokenizer.from_pretrained and save_pretrained"
        )
    found = need("transformers.utils", extra=EXTRA).cached_file(source, "tokenizer.json")
    return Path(found)


def _state_of(file: Path) -> Any:
    """What a file of weights has: a dictionary, of tensors or of such dictionaries."""
    try:
        if file.suffix == ".safetensors":
            state = need("safetensors.torch", extra=EXTRA).load_file(file)
        else:
            state = need("torch", extra=EXTRA).load(file, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise BadInput(f"{file}: is not a file") from None
    except Exception as error:  # torch raises many kinds
        raise BadInput(f"{file}: is not a state dict: {first_line(error)}") from error
    if not isinstance(state, dict):
        raise BadInput(f"{file}: is not a state dict, but of type {type(state).__name__}; save model.state_dict()")
    return state


def _load_weights(module: Any, file: Path) -> None:
    state = _state_of(file)
    for key in ("state_dict", "model", "model_state_dict"):
        if key in state and isinstance(state[key], dict):
            state = state[key]
    # By the version of each module, which torch keeps beside the tensors, some modules read older state dicts.
    versions = getattr(state, "_metadata", None)
    state = OrderedDict((str(key).removeprefix("module."), value) for key, value in state.items())
    if versions is not None:
        own = {f"{key}.".removeprefix("module.").removesuffix("."): value for key, value in versions.items()}
        state._metadata = own  # type: ignore[attr-defined]
    try:
        module.load_state_dict(state)
    except RuntimeError as error:
        lines = [line.strip() for line in str(error).splitlines()[1:3]]
        raise BadInput(f"{file}: is of another model: {' '.join(lines)}; --classes FILE gives the number") from error
    except ValueError as error:
        raise BadInput(f"{file}: the model does not take it: {first_line(error)}") from error


def _fetched(make: Callable[[], Any], name: str, fetches: bool) -> Any:
    """What `make` gives; an error in words if it cannot be had."""
    try:
        return make()
    except HardsetError:
        raise
    except (OSError, ImportError) as error:
        raise Missing(f"{name}: cannot be loaded: {first_line(error)}") from error
    except Exception as error:
        if fetches and type(error).__module__.partition(".")[0] in ("httpx", "httpx2", "requests", "huggingface_hub"):
            words = (
                f"{name}: its weights cannot be fetched: {first_line(error)}; --random and --weights need no network"
            )
            raise Missing(words) from error
        raise BadInput(f"{name}: cannot be made: {first_line(error)}") from error


def plain(name: str) -> str:
    """A name that can be that of a scorer: letters, digits, `-`, `_`, `.`."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", name).strip(".-") or "model"


def copy_tokenizer(model: TwoTowers, to: Path) -> None:
    """Writes `tokenizer.json`."""
    shutil.copyfile(model.tokenizer_file, to)


def token_ids(model: TwoTowers, texts: Sequence[str]) -> Any:
    """Token ids `[n, positions]`, as the model's own tokenizer gives them."""
    return _tokens(model, texts, "max_length")["input_ids"]


def _tokens(model: TwoTowers, texts: Sequence[str], padding: str) -> Any:
    if model.clean == "lower":
        texts = [text.lower() for text in texts]
    return model.tokenizer(
        list(texts), padding=padding, truncation=True, max_length=model.positions, return_tensors="pt"
    )


def whole_logits(model: TwoTowers, pixels: Any, texts: Sequence[str]) -> NDArray[np.float32]:
    """Logits `[pictures, texts]` of the whole model, as its library calls it: with an attention mask, if it has one."""
    # Without a mask a model sees the padding, and was trained with all of it (SigLIP).
    padding = "longest" if "attention_mask" in model.tokenizer.model_input_names else "max_length"
    with need("torch", extra=EXTRA).inference_mode():
        found = model.whole(**_tokens(model, texts, padding), pixel_values=pixels)
    logits: NDArray[np.float32] = found.logits_per_image.numpy()
    return logits
