//! A report as lines, both axes logarithmic.

use std::path::Path;

use plotters::prelude::{
    BLACK, ChartBuilder, IntoDrawingArea, IntoLogRange, LineSeries, Palette, Palette99,
    PathElement, SVGBackend, WHITE,
};
use plotters::style::Color;
use serde_json::Value;

use crate::report::Row;

/// Writes an SVG: every numeric column over `over`.
pub fn write(file: &Path, title: &str, over: &str, rows: &[Row]) {
    let number = |row: &Row, name: &str| {
        let found = row.iter().find(|(named, _)| *named == name);
        found.and_then(|(_, value)| Value::as_f64(value))
    };
    let names = rows.first().into_iter().flatten().map(|(name, _)| *name);
    let lines: Vec<(&str, Vec<(f64, f64)>)> = names
        .filter(|name| *name != over)
        .map(|name| {
            let points = rows.iter().filter_map(|row| {
                let point = (number(row, over)?, number(row, name)?);
                (point.0 > 0.0 && point.1 > 0.0).then_some(point)
            });
            (name, points.collect())
        })
        .filter(|(_, points): &(_, Vec<_>)| points.len() > 1)
        .collect();
    let all = || lines.iter().flat_map(|(_, points)| points);
    let range = |values: Vec<f64>| {
        let low = values.iter().copied().fold(f64::INFINITY, f64::min);
        let high = values.iter().copied().fold(0.0, f64::max);
        low * 0.8..high * 1.25
    };
    if lines.is_empty() {
        return;
    }
    let area = SVGBackend::new(file, (960, 540)).into_drawing_area();
    area.fill(&WHITE).unwrap();
    let mut chart = ChartBuilder::on(&area)
        .caption(title, ("sans-serif", 20))
        .margin(12)
        .x_label_area_size(44)
        .y_label_area_size(64)
        .build_cartesian_2d(
            range(all().map(|point| point.0).collect()).log_scale(),
            range(all().map(|point| point.1).collect()).log_scale(),
        )
        .unwrap();
    chart.configure_mesh().x_desc(over).draw().unwrap();
    for (at, (name, points)) in lines.iter().enumerate() {
        let style = Palette99::pick(at).stroke_width(2);
        let series = LineSeries::new(points.iter().copied(), style);
        let drawn = chart.draw_series(series).unwrap();
        let legend = move |(x, y)| PathElement::new(vec![(x, y), (x + 18, y)], style);
        drawn.label(*name).legend(legend);
    }
    chart
        .configure_series_labels()
        .background_style(WHITE.mix(0.8))
        .border_style(BLACK)
        .draw()
        .unwrap();
    area.present().unwrap();
}
