//! `README.txt` of a folder of task sheets: what the files are and how to use them.

use crate::domain::ExportFormat;

/// The text for the people who hand the sheets out. `look`: what distinguishes these sheets from others of the run.
pub fn readme(format: ExportFormat, run: &str, look: &str) -> String {
    let what = match format {
        ExportFormat::LabelStudio => {
            "Label Studio: make a project, paste config.xml under Settings > Labeling Interface > Code, and import\n\
             tasks.json. Images are read from the addresses in tasks.json. By default that is Label Studio's local\n\
             storage: start it with LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED=true and with\n\
             LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT set to the folder that contains this one, and add this folder\n\
             as a local source storage. Set Overlap to the number of people for each image. Export the annotations as\n\
             JSON."
        }
        ExportFormat::Prolific => {
            "Prolific's task builder: put the folder images where the addresses in dataset.csv point to, upload\n\
             dataset.csv as a dataset, and make a batch with the instructions in instructions.json. Download the\n\
             results as CSV."
        }
        ExportFormat::Csv => {
            "tasks.csv and tasks.jsonl have the same contents. People may fill in a copy of tasks.csv: their name\n\
             under `person`, and yes, no or not_sure under each question. Or write lines of JSON with person, task,\n\
             question and answer."
        }
        ExportFormat::Html => {
            "One page for each sheet. Send each page to the number of people that should answer it. They open it in a\n\
             browser, need no network, and send back the file that the page saves."
        }
    };
    format!(
        "Task sheets of the benchmark {run}, made by hardset.\n\n{what}\n\n\
         Then: hardset annotate collect RUN ANSWERS\n\n\
         Names of images and sheets are random and carry no information. Sheets {look}.\n"
    )
}
