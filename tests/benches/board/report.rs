//! Figures as a table, as JSON and as a plot.

use std::{fs, path::Path, time::Duration};

use serde_json::{Map, Value, json};

use crate::plot;

/// Figures with their names, in the order of the columns.
pub type Row = Vec<(&'static str, Value)>;

/// Rows of figures that belong together.
pub struct Report {
    name: &'static str,
    title: &'static str,
    /// The column that the others are plotted over, if they are.
    over: Option<&'static str>,
    rows: Vec<Row>,
}

impl Report {
    /// A report without rows.
    pub const fn new(name: &'static str, title: &'static str) -> Self {
        Self {
            name,
            title,
            over: None,
            rows: Vec::new(),
        }
    }

    /// Its columns are plotted over this one.
    pub const fn over(mut self, column: &'static str) -> Self {
        self.over = Some(column);
        self
    }

    /// Adds a row.
    pub fn row(&mut self, row: Row) {
        self.rows.push(row);
    }

    /// Prints it, and writes what is to be kept.
    pub fn show(&self, as_json: bool, out: Option<&Path>) {
        let rows = self.rows.iter().map(|row| {
            let named = row.iter();
            Map::from_iter(named.map(|(name, value)| ((*name).to_owned(), value.clone())))
        });
        let rows: Vec<_> = rows.collect();
        let whole = json!({ "scenario": self.name, "title": self.title, "rows": rows });
        if as_json {
            println!("{whole}");
        } else {
            println!("\n{}\n{}", self.title, self.table());
        }
        let Some(out) = out else { return };
        fs::create_dir_all(out).unwrap();
        let text = serde_json::to_string_pretty(&whole).unwrap();
        fs::write(out.join(format!("{}.json", self.name)), text).unwrap();
        if let Some(over) = self.over {
            let file = out.join(format!("{}.svg", self.name));
            plot::write(&file, self.title, over, &self.rows);
        }
    }

    fn table(&self) -> String {
        let names = self.rows.first().into_iter().flatten();
        let names = names.map(|(name, _)| (*name).to_owned());
        let mut lines: Vec<Vec<String>> = vec![names.collect()];
        for row in &self.rows {
            lines.push(row.iter().map(|(_, value)| shown(value)).collect());
        }
        let width = |at: usize| lines.iter().map(|line| line[at].len()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..lines[0].len()).map(width).collect();
        let padded = lines.iter().map(|line| {
            let cells = line.iter().zip(&widths);
            let cells: Vec<String> = cells
                .map(|(cell, width)| format!("{cell:>width$}"))
                .collect();
            cells.join("  ")
        });
        padded.collect::<Vec<_>>().join("\n")
    }
}

fn shown(value: &Value) -> String {
    match (value, value.as_u64(), value.as_f64()) {
        (Value::Null, ..) => "-".to_owned(),
        (Value::String(text), ..) => text.clone(),
        (_, Some(whole), _) => whole.to_string(),
        (_, None, Some(number)) => format!("{number:.2}"),
        (_, None, None) => value.to_string(),
    }
}

/// The middle one, in milliseconds.
pub fn median_ms(mut times: Vec<Duration>) -> f64 {
    times.sort();
    times
        .get(times.len() / 2)
        .map_or(f64::NAN, |time| ms(*time))
}

/// In milliseconds.
pub fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
