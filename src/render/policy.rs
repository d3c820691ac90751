//! The content security policy of a page that is one file: only its own style, its own script and `data:` images load.
//!
//! Holds always: the hashes in the policy are those of the texts in the page, so that a script in the data would not
//! run even if escaping failed.

use base64::{Engine, engine::general_purpose::STANDARD};

use crate::domain::Sha256;

/// The policy of a page with one `<style>` and one `<script>` of exactly these texts.
pub(super) fn policy(style: &str, script: &str) -> String {
    format!(
        "default-src 'none'; img-src data:; style-src 'sha256-{}'; script-src 'sha256-{}'; base-uri 'none'; \
         form-action 'none'",
        digest(style),
        digest(script),
    )
}

/// Digest of `text` in the notation of the policy.
fn digest(text: &str) -> String {
    STANDARD.encode(Sha256::of(text.as_bytes()).bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Digest from Python's `hashlib.sha256`.
    #[test]
    fn the_policy_names_the_hashes_of_its_texts() {
        assert!(policy("abc", "").contains("style-src 'sha256-ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0='"));
    }
}
