//! The chunks of a PNG, read and refused as Pillow reads and refuses them; nothing is unpacked here.
//!
//! What Pillow checks: every checksum before the image data, none of the data itself and none after it; the lengths of
//! the chunks that it knows; that chunks after the data are whole. Text and profiles are not unpacked, because pixels
//! do not depend on them; neither are transparent colours, because alpha is dropped.
//! Holds always: the data are one run of IDAT chunks, and memory is not taken for any length that a chunk states.
//!
//! Source: Pillow 13, `PngImagePlugin.py` (`ChunkStream`, `PngStream`, `PngImageFile`).

use crate::imaging::limits::DecodeError;

/// What the pixels of a PNG depend on.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct PngFile<'a> {
    /// Width and height of the picture, in px.
    pub size_px: (u32, u32),
    /// Bits of a sample: 1, 2, 4, 8 or 16.
    pub depth: u8,
    /// 0 grey, 2 RGB, 3 palette, 4 grey and alpha, 6 RGB and alpha.
    pub colour: u8,
    pub is_interlaced: bool,
    /// Red, green and blue of each entry.
    pub palette: Option<&'a [u8]>,
    /// Place and size of the pixels in the picture: all of it, unless a first frame of an APNG says otherwise.
    pub part: Part,
    /// The data of the IDAT chunks.
    pub data: Vec<&'a [u8]>,
    /// Whether the file ends inside the data.
    pub is_cut: bool,
    /// Whether the file is an animation.
    is_animated: bool,
    /// What follows the data.
    rest: &'a [u8],
}

/// A rectangle of a picture, in px.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Part {
    pub left: u32,
    pub top: u32,
    pub width_px: u32,
    pub height_px: u32,
}

/// One chunk; `data` is shorter than it should be where the file ends inside it.
struct Chunk<'a> {
    kind: [u8; 4],
    data: &'a [u8],
    is_whole: bool,
    checksum: Option<u32>,
    rest: &'a [u8],
}

/// Bits and colour kinds that Pillow knows.
const KINDS: [(u8, u8); 15] = [
    (1, 0),
    (2, 0),
    (4, 0),
    (8, 0),
    (16, 0),
    (8, 2),
    (16, 2),
    (1, 3),
    (2, 3),
    (4, 3),
    (8, 3),
    (8, 4),
    (16, 4),
    (8, 6),
    (16, 6),
];
const PALETTE: u8 = 3;
const MOST_COLOURS: usize = 256;
/// The fewest bytes of chunks that Pillow reads without need.
const LENGTHS: [(&[u8; 4], usize); 6] =
    [(b"gAMA", 4), (b"cHRM", 32), (b"sRGB", 1), (b"pHYs", 9), (b"acTL", 8), (b"fcTL", 26)];

impl<'a> PngFile<'a> {
    /// Reads `bytes`, which begin with a PNG's signature, up to the end of the image data.
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let mut rest = bytes.get(8..).unwrap_or_default();
        let mut header = Header::default();
        loop {
            let chunk = Chunk::first(rest)?;
            if &chunk.kind == b"IDAT" {
                return header.with_data(rest);
            }
            chunk.check_checksum()?;
            header.add(&chunk)?;
            rest = chunk.rest;
        }
    }

    /// An error if what follows the data is broken in a way that Pillow notices.
    pub(super) fn check_rest(&self) -> Result<(), DecodeError> {
        let mut rest = self.rest;
        while let Ok(chunk) = Chunk::first(rest) {
            if &chunk.kind == b"IEND" || (&chunk.kind == b"fcTL" && self.is_animated) {
                break;
            }
            if !chunk.is_whole {
                return Err(DecodeError::Truncated { format: "PNG" });
            }
            chunk.check_length()?;
            rest = chunk.rest;
        }
        Ok(())
    }
}

/// What the chunks before the data say.
#[derive(Default)]
struct Header<'a> {
    size_px: (u32, u32),
    kind: Option<(u8, u8)>,
    is_interlaced: bool,
    palette: Option<&'a [u8]>,
    /// Frames of an animation.
    frames: Option<u32>,
    /// The first frame's.
    part: Option<Part>,
    /// Frames that were announced.
    announced: u32,
}

impl<'a> Header<'a> {
    fn add(&mut self, chunk: &Chunk<'a>) -> Result<(), DecodeError> {
        chunk.check_length()?;
        match &chunk.kind {
            b"IHDR" => self.add_size(chunk.data)?,
            // One before the header, or of another kind of picture, is not looked at.
            b"PLTE" if self.kind.is_some_and(|(_, colour)| colour == PALETTE) => self.palette = Some(chunk.data),
            b"tRNS" => self.check_transparency(chunk.data.len())?,
            b"acTL" => {
                let frames = number(chunk.data, 0);
                // A second one, or one without frames, makes it an ordinary PNG.
                self.frames = Some(frames).filter(|frames| self.frames.is_none() && (1..=1 << 31).contains(frames));
            }
            b"fcTL" => self.add_frame(chunk.data)?,
            b"IEND" => return Err(corrupt("it has no image data")),
            _ => {}
        }
        Ok(())
    }

    fn add_size(&mut self, data: &[u8]) -> Result<(), DecodeError> {
        let [.., depth, colour, _, filter, interlace] =
            data.get(..13).ok_or_else(|| corrupt("its header is too short"))?
        else {
            return Err(corrupt("its header is too short"));
        };
        self.size_px = (number(data, 0), number(data, 4));
        self.kind = Some((*depth, *colour)).filter(|kind| KINDS.contains(kind)).or(self.kind);
        self.is_interlaced |= *interlace != 0;
        if *filter != 0 { Err(corrupt(format!("filter method {filter} is unknown"))) } else { Ok(()) }
    }

    fn check_transparency(&self, bytes: usize) -> Result<(), DecodeError> {
        let least = match self.kind {
            Some((_, 0)) => 2,
            Some((_, 2)) => 6,
            _ => 0,
        };
        if bytes < least { Err(corrupt("its chunk tRNS is too short")) } else { Ok(()) }
    }

    fn add_frame(&mut self, data: &[u8]) -> Result<(), DecodeError> {
        let [sequence, width_px, height_px, left, top] = [0, 4, 8, 12, 16].map(|at| number(data, at));
        if sequence != self.announced {
            return Err(corrupt("the frames of its animation are out of order"));
        }
        self.announced += 1;
        let inside = |from: u32, side: u32, whole: u32| u64::from(from) + u64::from(side) <= u64::from(whole);
        if !inside(left, width_px, self.size_px.0) || !inside(top, height_px, self.size_px.1) {
            return Err(corrupt("a frame of its animation is larger than the picture"));
        }
        self.part = Some(Part { left, top, width_px, height_px });
        Ok(())
    }

    /// The file whose first IDAT chunk begins at `rest`.
    fn with_data(self, mut rest: &'a [u8]) -> Result<PngFile<'a>, DecodeError> {
        let (depth, colour) =
            self.kind.ok_or_else(|| corrupt("its header is missing, or its depth and colour are not a pair"))?;
        let (width_px, height_px) = self.size_px;
        let palette = if colour == PALETTE { Some(palette(self.palette, depth)?) } else { None };
        let (mut data, mut is_cut) = (Vec::new(), false);
        while let Some(chunk) = Chunk::first(rest).ok().filter(|chunk| &chunk.kind == b"IDAT") {
            is_cut = !chunk.is_whole;
            (rest, _) = (chunk.rest, data.push(chunk.data));
        }
        // The picture itself is one more frame where none is announced before the data.
        let frames = self.frames.map(|frames| u64::from(frames) + u64::from(self.part.is_none()));
        Ok(PngFile {
            size_px: self.size_px,
            depth,
            colour,
            is_interlaced: self.is_interlaced,
            palette,
            part: self.part.unwrap_or(Part { left: 0, top: 0, width_px, height_px }),
            data,
            is_cut: is_cut || rest.is_empty(),
            is_animated: frames.is_some_and(|frames| frames > 1),
            rest,
        })
    }
}

fn palette(found: Option<&[u8]>, depth: u8) -> Result<&[u8], DecodeError> {
    let palette = found.unwrap_or_default();
    if palette.is_empty() || !palette.len().is_multiple_of(3) || palette.len() > 3 * MOST_COLOURS {
        let bytes = palette.len();
        return Err(corrupt(format!(
            "its palette has {bytes} bytes, not three for each of 1 to {MOST_COLOURS} colours"
        )));
    }
    // More colours than the depth can name are allowed by Pillow and never used.
    Ok(&palette[..palette.len().min(3 << depth)])
}

impl<'a> Chunk<'a> {
    /// The chunk at the beginning of `bytes`.
    fn first(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let Some((head, after)) = bytes.split_first_chunk::<8>() else {
            return Err(DecodeError::Truncated { format: "PNG" });
        };
        let [a, b, c, d, kind @ ..] = *head;
        if !kind.iter().all(|&letter| letter.is_ascii_alphanumeric() || letter == b'_') {
            return Err(corrupt(format!("a chunk is called {:?}", String::from_utf8_lossy(&kind))));
        }
        let length = u32::from_be_bytes([a, b, c, d]) as usize;
        let (data, after) = after.split_at_checked(length).unwrap_or((after, &[]));
        let (checksum, rest) = match after.split_first_chunk::<4>() {
            Some((checksum, rest)) => (Some(u32::from_be_bytes(*checksum)), rest),
            None => (None, &[][..]),
        };
        Ok(Self { kind, data, is_whole: data.len() == length, checksum, rest })
    }

    fn check_checksum(&self) -> Result<(), DecodeError> {
        match self.checksum {
            None => Err(DecodeError::Truncated { format: "PNG" }),
            Some(checksum) if checksum == crc(&self.kind, self.data) => Ok(()),
            Some(_) => Err(corrupt(format!("the checksum of its chunk {} is wrong", self.name()))),
        }
    }

    fn check_length(&self) -> Result<(), DecodeError> {
        match LENGTHS.iter().find(|(kind, _)| **kind == self.kind) {
            Some((_, least)) if self.data.len() < *least => {
                Err(corrupt(format!("its chunk {} is too short", self.name())))
            }
            _ => Ok(()),
        }
    }

    fn name(&self) -> String {
        String::from_utf8_lossy(&self.kind).into_owned()
    }
}

fn number(data: &[u8], at: usize) -> u32 {
    data.get(at..).and_then(|data| data.first_chunk::<4>()).map_or(0, |bytes| u32::from_be_bytes(*bytes))
}

fn corrupt(reason: impl ToString) -> DecodeError {
    DecodeError::corrupt("PNG", reason)
}

/// CRC-32 of a chunk's kind and data.
fn crc(kind: &[u8; 4], data: &[u8]) -> u32 {
    const TABLE: [u32; 256] = table();
    let step = |crc: u32, byte: &u8| TABLE[usize::from(crc as u8 ^ byte)] ^ (crc >> 8);
    !kind.iter().chain(data).fold(u32::MAX, step)
}

/// Source: PNG specification, annex D.
const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut at = 0;
    while at < table.len() {
        let (mut crc, mut bit) = (at as u32, 0);
        while bit < 8 {
            crc = if crc & 1 == 1 { 0xedb8_8320 ^ (crc >> 1) } else { crc >> 1 };
            bit += 1;
        }
        table[at] = crc;
        at += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_the_specification() {
        assert_eq!(crc(b"IEND", b""), 0xae42_6082);
    }
}
