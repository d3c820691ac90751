"""Writes tests/golden/statistics/: the parts of the references of an evaluation that need no photographs.

python3 tests/golden/make_statistics.py ../shared/data/parity
Standard library alone. The references were made by running the published code of each field (statsmodels 0.15, SciPy
1.17, scikit-learn 1.9, torch 2.15; imagenet-testbed 0170eec, natural-adv-examples 0777070, model-vs-human 79ed7cd,
outlier-exposure e6ede98, cnc_ood 9aee6f6, robustness 8190fe3, imagenet_d d8bb2df): evaluation-README.md beside them
says which. Here they are only cut down; no number is changed. tests/statistics_parity reads this folder always, and the
whole references where they are.

special.json is made here too, from the SciPy that is installed, if there is one: python3 -m pip install scipy
"""

import csv
import json
import pathlib
import shutil
import sys

SOURCE = pathlib.Path(sys.argv[1])
TARGET = pathlib.Path(__file__).with_name("statistics")


def read(name):
    return json.loads((SOURCE / name).read_text())


def write(name, value):
    path = TARGET / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, separators=(",", ":")) + "\n")


def copy(name):
    (TARGET / name).parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(SOURCE / name, TARGET / name)


def main():
    copy("testbed/fits.json")
    copy("testbed/tau.csv")
    with open(SOURCE / "testbed/rho.csv", newline="") as rows:
        rho = list(csv.DictReader(rows))
    columns = ["shift", "model", "fitted", "rho"]
    with open(TARGET / "testbed/rho.csv", "w", newline="") as out:
        writer = csv.DictWriter(out, columns, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rho)
    write("agreement/agreement.json", read("agreement/agreement.json"))
    copy("agreement/nuisance.csv")
    nuisance = read("agreement/nuisance.json")
    for model in nuisance["models"].values():
        model.pop("nuisances")  # intervals of thirty more proportions
    write("agreement/nuisance.json", nuisance)
    calibration = read("calibration/calibration.json")
    write("calibration/calibration.json", {"models": {}, "categories": [], "cases": calibration["cases"]})
    write("ood/ood.json", {"models": {}, "splits": {}, "cases": read("ood/ood.json")["cases"]})
    mce = read("robustness/mce.json")
    for model in mce["models"].values():
        for name in [name for name in model if name.startswith("on disk")]:
            model.pop(name)  # of other pixels
    write("robustness/mce.json", mce)
    copy("robustness/corruption-errors.csv")
    copy("robustness/perturbations.json")
    copy("vqa/answers.tsv")
    copy("vqa/summary.json")
    special()


def special():
    """Values of the distributions, and intervals of proportions that are not whole counts."""
    try:
        from scipy import special as functions
        from scipy import stats
    except ImportError:
        print("no SciPy: special.json stays as it is")
        return
    beta = [
        [a, b, x, float(functions.betainc(a, b, x))]
        for a, b in [(0.5, 0.5), (1, 3), (5.5, 0.5), (20, 300), (1000, 1000.5), (40000, 60000), (3, 1e5)]
        for x in [1e-6, 0.01, 0.3, 0.4, 0.5, 0.77, 0.999]
    ]
    quantiles = [
        [a, b, p, float(functions.betaincinv(a, b, p))]
        for a, b in [(0.5, 10.5), (1, 3), (188, 213), (10.5, 0.5), (40000, 60001), (12600.25, 38289.75)]
        for p in [1e-4, 0.0025, 0.025, 0.5, 0.975, 0.9975]
    ]
    student = [
        [df, t, float(2 * stats.t.sf(t, df)), float(stats.t.ppf(1 - 0.05 / 2, df))]
        for df in [1, 2, 4, 11, 30, 112, 5000]
        for t in [0.1, 1.0, 2.2, 5.0, 30.0]
    ]
    normal = [[z, float(stats.norm.sf(z)), float(functions.erfc(z))] for z in [-3, -0.5, 0, 0.7, 1.96, 2.5, 6, 12, 25]]
    quantile = functions.betaincinv
    exact = [
        [k, n, alpha, float(quantile(k, n - k + 1, alpha / 2)), float(quantile(k + 1, n - k, 1 - alpha / 2))]
        for k, n in [(0.25, 10), (12.5, 40), (3160.49995, 10000), (50888.5, 50889)]
        for alpha in [0.05, 0.005, 0.2]
    ]
    names = ["beta_share", "beta_quantile", "student", "normal", "clopper_pearson"]
    write("special.json", dict(zip(names, [beta, quantiles, student, normal, exact])))


main()
