//! Licences and their ids on the hub, in SPDX and in the Citation File Format.

/// A licence that the documents can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Licence {
    /// Id of the Hugging Face hub.
    pub hub: &'static str,
    /// SPDX's id, if there is one.
    pub spdx: Option<&'static str>,
    /// Whether the schema of CFF 1.2.0, which is older than SPDX's present list, knows the id.
    pub in_cff: bool,
}

const fn listed(hub: &'static str, spdx: &'static str) -> Licence {
    Licence { hub, spdx: Some(spdx), in_cff: true }
}

const fn unlisted(hub: &'static str) -> Licence {
    Licence { hub, spdx: None, in_cff: false }
}

/// Licences of data and of the output of models, and the common licences of software.
const KNOWN: &[Licence] = &[
    listed("mit", "MIT"),
    listed("apache-2.0", "Apache-2.0"),
    listed("bsd-2-clause", "BSD-2-Clause"),
    listed("bsd-3-clause", "BSD-3-Clause"),
    listed("gpl-3.0", "GPL-3.0-only"),
    listed("unlicense", "Unlicense"),
    listed("cc0-1.0", "CC0-1.0"),
    listed("cc-by-2.0", "CC-BY-2.0"),
    listed("cc-by-2.5", "CC-BY-2.5"),
    listed("cc-by-3.0", "CC-BY-3.0"),
    listed("cc-by-4.0", "CC-BY-4.0"),
    listed("cc-by-sa-3.0", "CC-BY-SA-3.0"),
    listed("cc-by-sa-4.0", "CC-BY-SA-4.0"),
    listed("cc-by-nc-2.0", "CC-BY-NC-2.0"),
    listed("cc-by-nc-3.0", "CC-BY-NC-3.0"),
    listed("cc-by-nc-4.0", "CC-BY-NC-4.0"),
    listed("cc-by-nd-4.0", "CC-BY-ND-4.0"),
    listed("cc-by-nc-nd-4.0", "CC-BY-NC-ND-4.0"),
    listed("cc-by-nc-sa-3.0", "CC-BY-NC-SA-3.0"),
    listed("cc-by-nc-sa-4.0", "CC-BY-NC-SA-4.0"),
    listed("odc-by", "ODC-By-1.0"),
    listed("odbl", "ODbL-1.0"),
    listed("pddl", "PDDL-1.0"),
    listed("c-uda", "C-UDA-1.0"),
    listed("cdla-sharing-1.0", "CDLA-Sharing-1.0"),
    listed("cdla-permissive-1.0", "CDLA-Permissive-1.0"),
    Licence { hub: "cdla-permissive-2.0", spdx: Some("CDLA-Permissive-2.0"), in_cff: false },
    unlisted("unknown"),
    unlisted("openrail"),
    unlisted("openrail++"),
    unlisted("creativeml-openrail-m"),
    unlisted("bigscience-openrail-m"),
];

/// The licence with this id on the hub or in SPDX, in any case; `None` for any other text.
pub fn licence(id: &str) -> Option<Licence> {
    let id = id.trim();
    let is_it = |known: &&Licence| {
        known.hub.eq_ignore_ascii_case(id) || known.spdx.is_some_and(|spdx| spdx.eq_ignore_ascii_case(id))
    };
    KNOWN.iter().find(is_it).copied()
}

impl Licence {
    /// The address of its text at SPDX.
    pub fn url(&self) -> Option<String> {
        self.spdx.map(|spdx| format!("https://spdx.org/licenses/{spdx}.html"))
    }
}
