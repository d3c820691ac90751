//! Templates -> prompts: English sentences with a category and a nuisance filled in.
//!
//! Placeholders: `{category}`, the category's noun; `{nuisance}`, the nuisance's phrase; `{a}`, the article that agrees
//! with the word after it, or nothing before a plural.

use super::Category;

/// The only words that a template may have in braces.
pub const PLACEHOLDERS: [&str; 3] = ["{a}", "{category}", "{nuisance}"];

/// The prompt that `template` gives.
pub fn render_prompt(template: &str, category: &Category, phrase: &str) -> String {
    // Nouns and phrases have no braces, so a second replacement cannot touch the result of the first.
    let text = template.replace("{category}", category.noun()).replace("{nuisance}", phrase);
    let Some((before, after)) = text.split_once("{a}") else { return text };
    let after = after.trim_start();
    if category.plural { format!("{before}{after}") } else { format!("{before}{} {after}", article(after)) }
}

/// What is wrong with a template, if anything is.
pub fn template_problem(template: &str) -> Option<String> {
    let mut rest = PLACEHOLDERS.iter().fold(template.to_owned(), |rest, known| rest.replace(known, ""));
    rest.retain(|c| c == '{' || c == '}');
    let known = PLACEHOLDERS.join(", ");
    if !rest.is_empty() {
        return Some(format!("`{template}` has braces other than {known}"));
    }
    if !template.contains("{category}") {
        return Some(format!("`{template}` lacks {{category}}"));
    }
    (template.matches("{a}").count() > 1).then(|| format!("`{template}` has {{a}} twice"))
}

/// `a` or `an`, by the first sound of `words` as far as the spelling shows it.
fn article(words: &str) -> &'static str {
    let word = words.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default().to_lowercase();
    let begins = |starts: &[&str]| starts.iter().any(|start| word.starts_with(start));
    let like_you = begins(&["eu", "uni", "use", "ute", "one"]) && !begins(&["unin", "unim", "unid"]);
    let silent_h = begins(&["hour", "honest", "honor", "heir"]);
    if silent_h || (begins(&["a", "e", "i", "o", "u"]) && !like_you) { "an" } else { "a" }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(template: &str, noun: &str, phrase: &str, expected: &str) {
        let plural = noun.ends_with('s');
        let category = Category { noun: Some(noun.to_owned()), plural, ..Category::new("x", &[0]) };
        assert_eq!(render_prompt(template, &category, phrase), expected);
    }

    #[test]
    fn the_article_agrees_with_the_word_after_it() {
        check("A photo of {a} {category} {nuisance}", "mug", "in the kitchen", "A photo of a mug in the kitchen");
        check("A photo of {a} {nuisance} {category}", "mug", "interlaced", "A photo of an interlaced mug");
        check("A photo of {a} {category}", "umbrella", "", "A photo of an umbrella");
        check("A photo of {a} {category}", "unicycle", "", "A photo of a unicycle");
        check("A photo of {a} {category}", "European rabbit", "", "A photo of a European rabbit");
        check("A photo of {a} {category}", "hourglass ", "", "A photo of an hourglass ");
        check("a photo of the {category}.", "T-shirt", "", "a photo of the T-shirt.");
    }

    #[test]
    fn plurals_take_no_article() {
        check("A photo of {a} {nuisance} {category}", "jeans", "striped", "A photo of striped jeans");
    }

    #[test]
    fn wrong_templates_are_told_from_right_ones() {
        assert_eq!(template_problem("A photo of {a} {category}"), None);
        for wrong in ["A photo", "{categori}", "{category} {", "{a} {category} {a}"] {
            assert!(template_problem(wrong).is_some(), "{wrong}");
        }
    }
}
