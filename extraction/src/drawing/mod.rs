//! Drawings and product data: the words in them, not the shapes. This module owns nothing but the
//! readers below it.

pub(crate) mod dxf;
pub(crate) mod iges;
mod mtext;
pub(crate) mod step;

/// Lines with a name before each value that says something.
fn lines(named: &[(&str, String)]) -> String {
    let mut text = String::new();
    for (name, value) in named {
        let value = value.replace(['\r', '\n', '\t'], " ");
        if !value.trim().is_empty() {
            text += &format!("{name}: {}\n", value.trim());
        }
    }
    text
}
