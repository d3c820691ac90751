//! `hardset completions` and `hardset man`: what a shell and a terminal want to know of the command line.
//!
//! Both are made from the definitions in `args`, so that they cannot differ from what the program accepts.

use std::fs;
use std::path::Path;

use clap::CommandFactory as _;
use serde_json::json;

use super::args::{Cli, CompletionsArgs, ManArgs};
use super::error::Error;
use super::output::Output;
use crate::store::{StoreError, write_whole};

/// The script that completes commands and options in a shell.
pub fn completions(args: &CompletionsArgs) -> Output {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "hardset", &mut script);
    let script = String::from_utf8_lossy(&script).into_owned();
    let json = json!({ "shell": args.shell.to_string(), "script": script });
    Output::new(script, json)
}

/// The manual page of `hardset`, or a folder with one page for each command.
pub fn man(args: &ManArgs) -> Result<Output, Error> {
    let mut command = Cli::command();
    // Gives every command its full name and the options of all commands.
    command.build();
    let Some(folder) = &args.folder else {
        let page = page(&command)?;
        return Ok(Output::new(page.as_str(), json!({ "page": page })));
    };
    fs::create_dir_all(folder).map_err(StoreError::io("make folder", folder))?;
    let mut pages = Vec::new();
    write_pages(&command, folder, &mut pages)?;
    let text = format!("{} pages: {}", pages.len(), folder.display());
    Ok(Output::new(text, json!({ "folder": folder.display().to_string(), "pages": pages })))
}

/// Writes the page of `command` and those of its sub-commands: `hardset-annotate-export.1`.
fn write_pages(command: &clap::Command, folder: &Path, pages: &mut Vec<String>) -> Result<(), Error> {
    let name = format!("{}.1", command.get_display_name().unwrap_or_else(|| command.get_name()));
    write_whole(&folder.join(&name), page(command)?.as_bytes())?;
    pages.push(name);
    for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help") {
        write_pages(sub, folder, pages)?;
    }
    Ok(())
}

/// The page of a command in troff.
fn page(command: &clap::Command) -> Result<String, Error> {
    let mut page = Vec::new();
    clap_mangen::Man::new(command.clone()).render(&mut page).map_err(Error::Stdout)?;
    Ok(String::from_utf8_lossy(&page).into_owned())
}
