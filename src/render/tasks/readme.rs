//! `README.txt` of a folder of task sheets: what it is and what to do with it.

use crate::domain::ExportFormat;

/// For people who send the sheets out.
/// `look`: tells these sheets from others.
pub fn readme(format: ExportFormat, run: &str, look: &str) -> String {
    let what = match format {
        ExportFormat::LabelStudio => {
            "Label Studio: make a project, paste config.xml under Settings > Labeling Interface > Code, and import tasks.json.\n\
             Images are read from where tasks.json says. By default that is Label Studio's local storage: start it with\n\
             LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED=true and LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT set to the folder that\n\
             holds this one, and add this folder as a local source storage. Set Overlap to the number of people for each image.\n\
             Export the annotations as JSON."
        }
        ExportFormat::Prolific => {
            "Prolific's task builder: put the folder images where the addresses in dataset.csv point to, upload dataset.csv as a\n\
             dataset, and make a batch with the instructions in instructions.json. Download the results as CSV."
        }
        ExportFormat::Csv => {
            "tasks.csv and tasks.jsonl say the same. People may fill in a copy of tasks.csv: their name under `person`, and yes, no\n\
             or not_sure under each question. Or write lines of JSON with person, task, question and answer."
        }
        ExportFormat::Html => {
            "One page for each sheet. Send each page to as many people as there should be; they open it in a browser, need no\n\
             network, and send back the file that the page saves."
        }
    };
    format!(
        "Task sheets of the benchmark {run}, made by hardset.\n\n{what}\n\nThen: hardset annotate collect RUN ANSWERS\n\n\
         Names of images and sheets tell nothing, and nothing in this folder says more. Sheets {look}.\n"
    )
}
