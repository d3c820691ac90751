//! Counts the scans of a JPEG without decoding it.
//!
//! A scan of twelve bytes makes libjpeg walk through all blocks of the picture once more, so that a small file could
//! keep a core busy for hours.
//! Holds always: each byte is looked at once.

/// The most scans of a picture that is decoded. Encoders write about ten, and optimisers of scans fewer than a hundred.
pub(super) const MOST_SCANS: usize = 500;

const END: u8 = 0xd9;
const SCAN: u8 = 0xda;

/// The scans of the first picture in `bytes`, a JPEG.
pub(super) fn scans(bytes: &[u8]) -> usize {
    let (mut scans, mut at) = (0, 2);
    while let Some(ff) = bytes.get(at..).and_then(|rest| rest.iter().position(|&byte| byte == 0xff)) {
        let marker = at + ff + 1;
        at = match bytes.get(marker) {
            // A filling byte: the next one may be the marker.
            Some(0xff) => marker,
            // A stuffed byte, a restart marker or another one without a segment.
            Some(0x00 | 0x01 | 0xd0..=0xd8) => marker + 1,
            None | Some(&END) => break,
            Some(&kind) => {
                scans += usize::from(kind == SCAN);
                let length = bytes.get(marker + 1..).and_then(|rest| rest.first_chunk::<2>());
                marker + 1 + length.map_or(0, |&length| usize::from(u16::from_be_bytes(length)))
            }
        };
    }
    scans
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scans_are_counted_where_they_are_and_not_in_segments_or_after_the_end() {
        let scan = [0xff, SCAN, 0, 4, 7, 7, 0x12, 0xff, 0x00, 0xff, 0xd0, 0x55];
        let comment_of_a_scan = [0xff, 0xfe, 0, 6, 0xff, SCAN, 0, 2];
        let file = [&[0xff, 0xd8][..], &comment_of_a_scan, &scan, &[0xff], &scan, &[0xff, END], &scan].concat();
        assert_eq!(scans(&file), 2);
        assert_eq!((scans(b"\xff\xd8"), scans(b""), scans(b"\xff\xd8\xff\xda")), (0, 0, 1));
    }
}
