//! The provenance inside a made image: texts for its PNG, among them XMP with IPTC's digital source type.
//!
//! Sources: IPTC NewsCodes, digitalsourcetype; XMP specification, part 1 (packet) and part 3 (PNG:
//! `XML:com.adobe.xmp`).

use crate::domain::{PlanRow, Provenance};

/// IPTC's term for images that a trained model made.
const SOURCE_TYPE: &str = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia";

/// Keywords and texts for the image of `row`.
pub fn png_texts(row: &PlanRow, made: &Provenance) -> Vec<(&'static str, String)> {
    let prompt = row.prompt.clone().unwrap_or_default();
    let mut texts = vec![("Software", "hardset".to_owned()), ("prompt", prompt.clone())];
    texts.extend(row.negative_prompt.clone().map(|negative| ("negative_prompt", negative)));
    texts.extend([
        ("seed", row.seed.to_string()),
        ("model_sha256", made.model_sha256.to_string()),
        ("engine", made.engine.clone()),
        ("sampler", made.sampler.clone()),
        ("steps", made.steps.to_string()),
        ("guidance", made.guidance.to_string()),
        ("XML:com.adobe.xmp", xmp(&prompt)),
    ]);
    texts
}

fn xmp(prompt: &str) -> String {
    let prompt = escaped(prompt);
    format!(
        r#"<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
 xmlns:dc="http://purl.org/dc/elements/1.1/" Iptc4xmpExt:DigitalSourceType="{SOURCE_TYPE}">
<dc:description><rdf:Alt><rdf:li xml:lang="x-default">{prompt}</rdf:li></rdf:Alt></dc:description>
</rdf:Description></rdf:RDF></x:xmpmeta>
<?xpacket end="r"?>"#
    )
}

/// Text for XML; characters that XML 1.0 cannot hold become spaces.
fn escaped(text: &str) -> String {
    let cannot = |c: char| c.is_control() && !matches!(c, '\n' | '\t') || matches!(c, '\u{fffe}' | '\u{ffff}');
    let text: String = text.chars().map(|c| if cannot(c) { ' ' } else { c }).collect();
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{ItemId, Sha256};

    #[test]
    fn hostile_prompts_stay_inside_their_element() {
        let row = PlanRow {
            item_id: ItemId(0),
            category: "mug".into(),
            label_ids: vec![504],
            nuisance_kind: None,
            nuisance: None,
            template: None,
            prompt: Some("</rdf:li>&\u{0}\"".into()),
            negative_prompt: None,
            seed: 7,
            source: None,
        };
        let made = Provenance {
            model_sha256: Sha256::of(b""),
            engine: "ort".into(),
            sampler: "ddim".into(),
            steps: 20,
            guidance: 7.5,
            warning: None,
        };
        let texts = png_texts(&row, &made);
        let text = |keyword: &str| texts.iter().find(|(found, _)| *found == keyword).unwrap().1.clone();
        let xmp = text("XML:com.adobe.xmp");
        assert!(
            xmp.contains("&lt;/rdf:li&gt;&amp; &quot;</rdf:li>") && xmp.contains("trainedAlgorithmicMedia"),
            "{xmp}"
        );
        let said = ["seed", "engine", "guidance"].map(text);
        assert_eq!(said, ["7", "ort", "7.5"].map(str::to_owned));
    }
}
