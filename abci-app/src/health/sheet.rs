//! Numbers as they are at one moment, for a scrape.

use std::fmt;

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{MetricType, gauge::ConstGauge},
};

/// One number, or one for each value of a label.
#[derive(Debug)]
struct Figure {
    name: &'static str,
    help: &'static str,
    values: Vec<(Vec<(&'static str, String)>, f64)>,
}

/// A list of numbers.
#[derive(Debug, Default)]
pub struct Sheet(Vec<Figure>);

impl Sheet {
    /// Notes a number, where it is known.
    pub fn one(&mut self, name: &'static str, help: &'static str, value: Option<f64>) {
        let values = value.map(|value| (Vec::new(), value));
        self.all(name, help, values);
    }

    /// Notes a number for each value of a label.
    pub fn each<const N: usize>(
        &mut self,
        name: &'static str,
        help: &'static str,
        label: &'static str,
        values: [(&'static str, f64); N],
    ) {
        let values = values.map(|(of, value)| (vec![(label, of.to_owned())], value));
        self.all(name, help, values);
    }

    /// Notes words, as labels of a number that says nothing.
    pub fn words(
        &mut self,
        name: &'static str,
        help: &'static str,
        words: Vec<(&'static str, String)>,
    ) {
        self.all(name, help, [(words, 1.0)]);
    }

    fn all(
        &mut self,
        name: &'static str,
        help: &'static str,
        values: impl IntoIterator<Item = (Vec<(&'static str, String)>, f64)>,
    ) {
        let values = values.into_iter().collect();
        self.0.push(Figure { name, help, values });
    }
}

impl Collector for Sheet {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        for Figure { name, help, values } in &self.0 {
            if values.is_empty() {
                continue;
            }
            let mut described = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            for (labels, value) in values {
                let value = ConstGauge::new(*value);
                value.encode(described.encode_family(labels)?)?;
            }
        }
        Ok(())
    }
}
