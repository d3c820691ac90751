//! The texts for people who judge: instructions and keys.
//!
//! Does not know a sheet. Holds always: nothing hints at the source of images or at an expected answer, because either
//! would bias the answers.

use maud::{Markup, html};

/// The dialog with the instructions; shown at first, and by its button.
pub fn instructions() -> Markup {
    html! {
        dialog #instructions aria-labelledby="instructions-title" {
            h2 #instructions-title { "What to do" }
            p {
                "Look at each image and answer the questions about it: " b { "Yes" } ", " b { "No" } " or "
                b { "Not sure" } "."
            }
            ul {
                li { "Judge what you see. Other images and earlier answers do not matter." }
                li { "There is no time limit. Take a break whenever you like." }
                li { "“Not sure” is a good answer when you have looked and still cannot tell." }
                li { "Enlarge an image by a click or tap on it. You can go back and change any answer." }
                li {
                    "Please do not look things up with other tools: no search, no image search, no AI assistants. "
                    "The short description is all you need."
                }
                li { "Please do not use browser extensions that change, translate or describe pages and images." }
                li { "Judge alone; do not talk about the images with others until you have finished." }
            }
            (close("Start"))
        }
    }
}

/// Keys and what they do.
const KEYS: [(&[&str], &str); 9] = [
    (&["y"], "Yes"),
    (&["n"], "No"),
    (&["s", "?"], "Not sure"),
    (&["u", "Backspace"], "take back the last answer"),
    (&["←", "→"], "image before, image after"),
    (&["↑", "↓"], "another question of this image"),
    (&["z"], "enlarge the image"),
    (&["i", "h"], "instructions, this list"),
    (&["Esc"], "close what is open"),
];

/// The dialog with the keys.
pub fn help() -> Markup {
    html! {
        dialog #help aria-labelledby="help-title" {
            h2 #help-title { "Keys" }
            dl.keys {
                @for (keys, what) in KEYS { div { dt { @for key in keys { kbd { (key) } " " } } dd { (what) } } }
            }
            p { "An answer goes to the question that is marked. Everything can be done with buttons as well." }
            (close("Close"))
        }
    }
}

/// The dialog with the enlarged image.
pub fn zoom() -> Markup {
    html! {
        dialog #zoom aria-label="Enlarged image" {
            div.zoom-top {
                span { "A click or tap on the image closes it" }
                button type="button" data-close { "Close" }
            }
            div #zoom-scroll tabindex="0" role="group" aria-label="Image, scrolls" {}
        }
    }
}

fn close(text: &str) -> Markup {
    html! { p.dialog-end { button.main type="button" data-close { (text) } } }
}
