//! The style and the script of all pages of the annotation.
//!
//! Holds always: line feeds even if the checkout has CRLF, because the page from disk names both by hash.

/// The script of `/app.js` and of [`super::sheet_page`].
pub fn script() -> String {
    [include_str!("keeper.js"), include_str!("app.js")].concat().replace("\r\n", "\n")
}

/// The style of `/style.css` and of [`super::sheet_page`].
pub fn style() -> String {
    include_str!("style.css").replace("\r\n", "\n")
}
