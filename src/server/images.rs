//! What the server needs of images.
//!
//! Does not make them: whoever opens the server does. Holds always: all images of a sheet exist before one of them is
//! shown, because times would else tell what a task shows.

/// The images of all sheets.
///
/// They are made sheet by sheet and before the sheet is given out: if each were made when it is asked for, the time
/// that it takes would tell where the image comes from, and so which tasks are sentinels.
pub trait Images: Send + Sync {
    /// Makes all images of a sheet (by its place). What cannot be shown becomes a grey square.
    fn prepare(&self, sheet: usize) -> Result<(), String>;

    /// The same for a sheet that nobody has yet: if something cannot be shown or saved, that is left to the day when
    /// somebody gets the sheet.
    fn prepare_ahead(&self, sheet: usize);

    /// The JPEG of a task. The images of its sheet are there, or are all made now.
    fn jpeg(&self, task: &str) -> Result<Vec<u8>, String>;
}
