//! The frames of an animated WebP, found and refused as libwebp finds and refuses them; nothing is decoded here.
//!
//! Holds always: all frames are checked although one is wanted, because libwebp refuses a file for any of them; no
//! memory is taken for a size that a file states.
//!
//! Source: libwebp 1.6, `demux.c` (`ParseVP8XChunks`, `ParseAnimationFrame`, `StoreFrame`, `IsValidExtendedFormat`).

use crate::imaging::limits::DecodeError;

/// Flags of the header.
const ANIMATED: u8 = 2;
const KNOWN_FLAGS: u8 = 0x3e;
/// Bytes of the file's head, of the header of an animation, and of those of a frame.
const HEAD: usize = 12;
const HEADER: usize = 10;
const FRAME_HEADER: usize = 16;
const ANIM: usize = 6;

/// A frame; `data` are those of its chunks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Frame<'a> {
    /// Where it lies in the picture, in px.
    pub place: (u32, u32),
    pub size_px: (u32, u32),
    pub alpha: Option<&'a [u8]>,
    pub picture: &'a [u8],
    pub is_lossless: bool,
}

/// (width_px, height_px) of an animation; `None` for a still picture.
pub(super) fn canvas(bytes: &[u8]) -> Option<(u32, u32)> {
    match bytes.get(HEAD..HEAD + 18)? {
        [b'V', b'P', b'8', b'X', _, _, _, _, flags, _, _, _, size @ ..] if flags & ANIMATED != 0 => {
            Some((number_24(size, 0) + 1, number_24(size, 3) + 1))
        }
        _ => None,
    }
}

/// The first frame of an animation; `bytes`: the whole file, up to the end that it states.
pub(super) fn first<'a>(bytes: &'a [u8], canvas: (u32, u32)) -> Result<Frame<'a>, DecodeError> {
    let header = Chunk::first(bytes.get(HEAD..).unwrap_or_default())?;
    if header.data.len() != HEADER || header.data[0] & !KNOWN_FLAGS != 0 {
        return Err(corrupt("its header is not that of an animation"));
    }
    let (mut rest, mut first, mut is_animated) = (header.rest, None, false);
    while !rest.is_empty() {
        let chunk = Chunk::first(rest)?;
        rest = chunk.rest;
        match &chunk.kind {
            b"VP8X" => return Err(corrupt("it has two headers")),
            b"VP8 " | b"VP8L" | b"ALPH" => return Err(corrupt("it has a picture outside its frames")),
            b"ANIM" if chunk.data.len().next_multiple_of(2) < ANIM => {
                return Err(corrupt("its chunk ANIM is too short"));
            }
            b"ANIM" => is_animated = true,
            b"ANMF" if !is_animated => return Err(corrupt("its frames have no chunk ANIM before them")),
            b"ANMF" => {
                let frame;
                (frame, rest) = read_frame(&chunk)?;
                if let Some(frame) = frame {
                    frame.check_inside(canvas)?;
                    first = first.or(Some(frame));
                }
            }
            _ => {}
        }
    }
    first.ok_or_else(|| corrupt("it has no frame"))
}

/// The frame in a chunk, if it has a picture, and what follows. A chunk of an unknown kind ends a frame and is looked
/// at again as one of the file.
fn read_frame<'a>(chunk: &Chunk<'a>) -> Result<(Option<Frame<'a>>, &'a [u8]), DecodeError> {
    let short = || corrupt("a frame of its animation is too short");
    let (header, mut inside) = chunk.padded.split_at_checked(FRAME_HEADER).ok_or_else(short)?;
    if inside.is_empty() && chunk.rest.is_empty() {
        return Err(short());
    }
    let place = (2 * number_24(header, 0), 2 * number_24(header, 3));
    let (mut alpha, mut picture) = (None, None);
    while !inside.is_empty() {
        let part = Chunk::first(inside).map_err(|_| short())?;
        match &part.kind {
            b"ALPH" if alpha.is_none() && picture.is_none() => alpha = Some(part.data),
            b"VP8 " | b"VP8L" if picture.is_none() => picture = Some(part.clone()),
            _ => break,
        }
        inside = part.rest;
    }
    let end = chunk.padded.len() - inside.len();
    let rest = chunk.bytes.get(Chunk::HEAD + end..).ok_or_else(short)?;
    let Some(picture) = picture else {
        return if alpha.is_none() {
            Ok((None, rest))
        } else {
            Err(corrupt("a frame of its animation has no picture"))
        };
    };
    let is_lossless = &picture.kind == b"VP8L";
    if is_lossless && alpha.is_some() {
        return Err(corrupt("a frame of its animation has alpha twice"));
    }
    let size_px = if is_lossless { lossless_size(picture.data) } else { lossy_size(picture.data) };
    let size_px = size_px.ok_or_else(|| corrupt("a frame of its animation is no picture"))?;
    Ok((Some(Frame { place, size_px, alpha, picture: picture.data, is_lossless }), rest))
}

impl Frame<'_> {
    fn check_inside(&self, canvas: (u32, u32)) -> Result<(), DecodeError> {
        // Places have 25 bits, sizes 14.
        if self.place.0 + self.size_px.0 > canvas.0 || self.place.1 + self.size_px.1 > canvas.1 {
            return Err(corrupt("a frame of its animation is larger than the picture"));
        }
        Ok(())
    }
}

/// Width and height in px that VP8 data state, unless libwebp refuses them.
fn lossy_size(data: &[u8]) -> Option<(u32, u32)> {
    let [a, b, c, 0x9d, 0x01, 0x2a, size @ ..] = data else { return None };
    let bits = u32::from_le_bytes([*a, *b, *c, 0]);
    let (is_key, profile, is_shown, partition) = (bits & 1 == 0, bits >> 1 & 7, bits >> 4 & 1 == 1, bits >> 5);
    let &[a, b, c, d] = size.first_chunk()?;
    let side = |low, high| u32::from(u16::from_le_bytes([low, high]) & 0x3fff);
    let size_px = (side(a, b), side(c, d));
    let is_good = is_key && profile <= 3 && is_shown && (partition as usize) < data.len();
    Some(size_px).filter(|&(width_px, height_px)| is_good && width_px > 0 && height_px > 0)
}

/// As [`lossy_size`], of VP8L data.
fn lossless_size(data: &[u8]) -> Option<(u32, u32)> {
    let [0x2f, bits @ ..] = data else { return None };
    let bits = u32::from_le_bytes(*bits.first_chunk()?);
    Some(((bits & 0x3fff) + 1, (bits >> 14 & 0x3fff) + 1)).filter(|_| bits >> 29 == 0)
}

#[derive(Clone)]
struct Chunk<'a> {
    kind: [u8; 4],
    data: &'a [u8],
    /// The data, and a byte more where their number is odd.
    padded: &'a [u8],
    /// The chunk and all that follows.
    bytes: &'a [u8],
    rest: &'a [u8],
}

impl<'a> Chunk<'a> {
    /// Bytes of a kind and a size.
    const HEAD: usize = 8;

    /// The chunk at the beginning of `bytes`.
    fn first(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let truncated = || DecodeError::Truncated { format: "WebP" };
        let (head, after) = bytes.split_first_chunk::<{ Chunk::HEAD }>().ok_or_else(truncated)?;
        let [a, b, c, d, size @ ..] = *head;
        let size = u32::from_le_bytes(size) as usize;
        let (padded, rest) = after.split_at_checked(size.next_multiple_of(2)).ok_or_else(truncated)?;
        Ok(Self { kind: [a, b, c, d], data: &padded[..size], padded, bytes, rest })
    }
}

/// Three bytes, the lowest first.
fn number_24(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], 0])
}

fn corrupt(reason: impl ToString) -> DecodeError {
    DecodeError::corrupt("WebP", reason)
}
