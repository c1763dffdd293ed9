//! Plots with logarithmic axes as SVG: lines over points, without a library.

use std::fmt::Write;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 400.0;
/// Room for labels: left, right, above, below.
const MARGINS: [f64; 4] = [70.0, 190.0, 36.0, 56.0];

/// Colours that are told apart in print and by most eyes, one after the other.
const COLOURS: [&str; 6] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"];

/// What is drawn.
#[derive(Clone, Debug)]
pub struct Plot {
    /// What stands above.
    pub title: String,
    /// What stands below, and the places of its marks with what is written there.
    pub across: (String, Vec<(f64, String)>),
    /// What stands at the left; its marks are powers of ten.
    pub up: String,
    /// The lines.
    pub lines: Vec<Line>,
}

/// Points that belong together, from left to right.
#[derive(Clone, Debug)]
pub struct Line {
    /// What is written at its end.
    pub name: String,
    /// Places along both axes; those upwards must be above zero.
    pub points: Vec<(f64, f64)>,
}

impl Plot {
    /// The plot as SVG. Places across are as they are told, upwards they are drawn by their logarithm.
    pub fn svg(&self) -> String {
        let points = || self.lines.iter().flat_map(|line| line.points.iter());
        let marks = || self.across.1.iter().map(|(place, _)| *place);
        let across = range(points().map(|point| point.0).chain(marks()));
        let (low, high) = range(points().map(|point| point.1.log10()));
        let (low, high) = (low.floor(), high.ceil().max(low.floor() + 1.0));
        let [left, right, above, below] = MARGINS;
        let x = |place: f64| left + (place - across.0) / (across.1 - across.0) * (WIDTH - left - right);
        let y = |log: f64| HEIGHT - below - (log - low) / (high - low) * (HEIGHT - above - below);
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" \
             font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n"
        );
        let mut add = |text: std::fmt::Arguments<'_>| svg.write_fmt(text).unwrap_or_default();
        add(format_args!("<text x=\"{left}\" y=\"20\" font-size=\"14\">{}</text>\n", escape(&self.title)));
        let mut log = low;
        while log <= high {
            let at = y(log);
            let end = WIDTH - right;
            add(format_args!("<path d=\"M{left} {at:.1}H{end}\" stroke=\"#cccccc\"/>\n"));
            let value = 10_f64.powf(log);
            add(format_args!(
                "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{value}</text>\n",
                left - 6.0,
                at + 4.0
            ));
            log += 1.0;
        }
        for (place, text) in &self.across.1 {
            let (at, end) = (x(*place), HEIGHT - below + 18.0);
            add(format_args!(
                "<text x=\"{at:.1}\" y=\"{end}\" text-anchor=\"middle\">{}</text>\n",
                escape(text)
            ));
        }
        let (middle, bottom) = (left + (WIDTH - left - right) / 2.0, HEIGHT - 14.0);
        add(format_args!(
            "<text x=\"{middle}\" y=\"{bottom}\" text-anchor=\"middle\">{}</text>\n",
            escape(&self.across.0)
        ));
        let side = HEIGHT / 2.0;
        add(format_args!(
            "<text transform=\"translate(16 {side}) rotate(-90)\" text-anchor=\"middle\">{}</text>\n",
            escape(&self.up)
        ));
        let mut labels: Vec<(f64, usize)> = Vec::new();
        for (line, colour) in self.lines.iter().zip(COLOURS.iter().cycle()) {
            let places: Vec<String> = line
                .points
                .iter()
                .map(|point| format!("{:.1},{:.1}", x(point.0), y(point.1.log10())))
                .collect();
            let path = places.join(" ");
            add(format_args!(
                "<polyline points=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>\n"
            ));
            for place in &places {
                let (cx, cy) = place.split_once(',').unwrap_or_default();
                add(format_args!("<circle cx=\"{cx}\" cy=\"{cy}\" r=\"3\" fill=\"{colour}\"/>\n"));
            }
            labels.push((line.points.last().map_or(0.0, |point| y(point.1.log10())), labels.len()));
        }
        for (at, line) in apart(labels) {
            let (colour, name) = (COLOURS[line % COLOURS.len()], escape(&self.lines[line].name));
            let (x, y) = (WIDTH - right + 8.0, at + 4.0);
            add(format_args!("<text x=\"{x}\" y=\"{y:.1}\" fill=\"{colour}\">{name}</text>\n"));
        }
        svg.push_str("</svg>\n");
        svg
    }
}

/// Moves labels down until none covers another.
fn apart(mut labels: Vec<(f64, usize)>) -> Vec<(f64, usize)> {
    labels.sort_by(|one, other| one.0.total_cmp(&other.0));
    for at in 1..labels.len() {
        labels[at].0 = labels[at].0.max(labels[at - 1].0 + 15.0);
    }
    labels
}

fn range(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (low, high) =
        values.fold((f64::MAX, f64::MIN), |(low, high), value| (low.min(value), high.max(value)));
    (low, if high > low { high } else { low + 1.0 })
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_point_and_label_is_drawn_inside() {
        let line =
            |name: &str, points: &[(f64, f64)]| Line { name: name.to_owned(), points: points.to_vec() };
        let plot = Plot {
            title: "a < b".to_owned(),
            across: ("bytes".to_owned(), vec![(0.0, "none".to_owned()), (2.0, "all".to_owned())]),
            up: "MB/s".to_owned(),
            lines: vec![line("one", &[(0.0, 5.0), (2.0, 700.0)]), line("two", &[(0.0, 5.0), (1.0, 701.0)])],
        };
        let svg = plot.svg();
        assert_eq!((svg.matches("<circle").count(), svg.matches("<polyline").count()), (4, 2));
        assert!(svg.contains("a &lt; b") && svg.contains(">none<") && svg.contains(">1000<"));
        for place in svg.split("cy=\"").skip(1) {
            let y: f64 = place.split('"').next().unwrap().parse().unwrap();
            assert!((MARGINS[2]..=HEIGHT - MARGINS[3]).contains(&y), "{y}");
        }
        let labels: Vec<&str> =
            svg.lines().filter(|text| text.contains("fill=\"#") && text.contains("<text")).collect();
        assert_eq!(labels.len(), 2);
        assert_ne!(labels[0].split("y=").nth(1), labels[1].split("y=").nth(1));
    }
}
