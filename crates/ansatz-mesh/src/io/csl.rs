//! `.csl`: contours on planes, as text.
//!
//! `CSLC`; then the numbers of planes and labels; then per plane a line `index vertices contours A B C
//! D` (index from 1, plane A x + B y + C z + D = 0), its vertices, and a line per contour: `count label
//! i₀ i₁ …`, or `count`h`parent label i₀ …` for a hole in contour `parent`. Blank lines mean nothing.
//! Format of M. Sawdayee, A. Vaxman, A. Bermano, *OReX: object reconstruction from planar
//! cross-sections using neural fields*, 2023, and of the reconstruction programs before it.

use std::io::Write;

use super::FileError;
use super::text::{Lines, numbers, whole};
use crate::sections::{Contour, CrossSections, Section};

/// Reads cross-sections. Coordinates stay as they are: see [`Section::project`].
///
/// # Errors
/// [`FileError::Line`] for another head, counts that do not fit what follows, an index of nothing, a
/// contour with fewer than three corners, a normal that is zero, a hole in a contour that is not there.
///
/// ```
/// let text = b"CSLC\n1 2\n\n1 3 1 0 0 1 -0.5\n0 0 0.5\n1 0 0.5\n0 1 0.5\n3 1 0 1 2\n";
/// let sections = ansatz_mesh::io::csl::read(text)?;
/// assert_eq!(sections.planes[0].total_area(), 0.5);
/// # Ok::<(), ansatz_mesh::io::FileError>(())
/// ```
pub fn read(bytes: &[u8]) -> Result<CrossSections, FileError> {
    let mut lines = Lines::new(bytes, None);
    if lines.expect("the word CSLC")? != "CSLC" {
        return Err(lines.error("the file does not begin with CSLC"));
    }
    let line = lines.expect("the numbers of planes and labels")?;
    let mut words = line.split_ascii_whitespace();
    let mut count = |what| whole(words.next(), what).map_err(|p| lines.error(p));
    let (planes, labels) = (count("number of planes")?, count("number of labels")?);
    let labels = u32::try_from(labels).map_err(|_| lines.error(format!("{labels} labels")))?;
    fits(&lines, planes, 14, "planes")?;
    let mut sections = CrossSections {
        planes: Vec::with_capacity(planes),
        labels,
    };
    for index in 1..=planes {
        sections.planes.push(plane(&mut lines, index)?);
    }
    match lines.next() {
        None => Ok(sections),
        Some(_) => Err(lines.error(format!("more than the {planes} planes of the head"))),
    }
}

/// Refuses a count of things that each take `least` bytes and more when fewer bytes are left.
fn fits(lines: &Lines<'_>, count: usize, least: usize, what: &str) -> Result<(), FileError> {
    let left = lines.left() + 1;
    if count > left / least {
        return Err(lines.error(format!(
            "{count} {what} do not fit into the {left} bytes left"
        )));
    }
    Ok(())
}

fn plane(lines: &mut Lines<'_>, index: usize) -> Result<Section, FileError> {
    let line = lines.expect(&format!("plane {index}"))?;
    let mut words = line.split_ascii_whitespace();
    let mut count = |what| whole(words.next(), what).map_err(|p| lines.error(p));
    let found = count("index of a plane")?;
    if found != index {
        return Err(lines.error(format!("plane {found} where plane {index} is due")));
    }
    let (vertices, contours) = (count("number of vertices")?, count("number of contours")?);
    let [a, b, c, offset] = numbers::<f64, 4>(&mut words).map_err(|p| lines.error(p))?;
    if words.next().is_some() {
        return Err(lines.error("more than seven numbers for a plane"));
    }
    if a == 0.0 && b == 0.0 && c == 0.0 {
        return Err(lines.error("the normal of the plane is zero"));
    }
    fits(lines, vertices, 6, "vertices")?;
    fits(lines, contours, 10, "contours")?;
    let mut section = Section {
        normal: [a, b, c],
        offset,
        vertices: Vec::with_capacity(vertices),
        contours: Vec::with_capacity(contours),
    };
    for _ in 0..vertices {
        let line = lines.expect("a vertex")?;
        let mut words = line.split_ascii_whitespace();
        let p = numbers(&mut words).map_err(|p| lines.error(p))?;
        if words.next().is_some() {
            return Err(lines.error("more than three numbers for a vertex"));
        }
        section.vertices.push(p);
    }
    let mut line_of = Vec::with_capacity(contours);
    for _ in 0..contours {
        let line = lines.expect("a contour")?;
        section
            .contours
            .push(contour(&line, vertices).map_err(|p| lines.error(p))?);
        line_of.push(lines.number);
    }
    for (i, contour) in section.contours.iter().enumerate() {
        if let Some(parent) = contour.hole_of.filter(|p| *p >= contours || *p == i) {
            return Err(FileError::line(
                line_of[i],
                format!("a hole in contour {parent}, the plane has {contours}"),
            ));
        }
    }
    Ok(section)
}

fn contour(line: &str, vertices: usize) -> Result<Contour, String> {
    let mut words = line.split_ascii_whitespace();
    let first = words.next().unwrap_or_default();
    let (count, hole_of) = match first.split_once('h') {
        Some((count, parent)) => (count, Some(whole(Some(parent), "contour of a hole")?)),
        None => (first, None),
    };
    let count = whole(Some(count), "number of corners")?;
    if count < 3 {
        return Err(format!("a contour with {count} corners"));
    }
    let label = whole(words.next(), "label")?;
    let label = u32::try_from(label).map_err(|_| format!("label {label}"))?;
    let mut corners = Vec::new();
    for word in words {
        let index = whole(Some(word), "index of a vertex")?;
        if index >= vertices {
            return Err(format!("vertex {index} of {vertices}, counted from 0"));
        }
        corners.push(index as u32);
    }
    if corners.len() != count {
        return Err(format!(
            "{} corners where {count} are promised",
            corners.len()
        ));
    }
    Ok(Contour {
        label,
        hole_of,
        vertices: corners,
    })
}

/// Writes cross-sections, with as many digits as bring the same bits back.
///
/// # Errors
/// [`FileError::System`].
pub fn write(sections: &CrossSections, out: &mut impl Write) -> Result<(), FileError> {
    writeln!(out, "CSLC\n{} {}", sections.planes.len(), sections.labels)?;
    for (i, plane) in sections.planes.iter().enumerate() {
        let ([a, b, c], d) = (plane.normal, plane.offset);
        let (v, n) = (plane.vertices.len(), plane.contours.len());
        writeln!(out, "\n{} {v} {n} {a:?} {b:?} {c:?} {d:?}\n", i + 1)?;
        for [x, y, z] in &plane.vertices {
            writeln!(out, "{x:?} {y:?} {z:?}")?;
        }
        writeln!(out)?;
        for contour in &plane.contours {
            write!(out, "{}", contour.vertices.len())?;
            if let Some(parent) = contour.hole_of {
                write!(out, "h{parent}")?;
            }
            write!(out, " {}", contour.label)?;
            for v in &contour.vertices {
                write!(out, " {v}")?;
            }
            writeln!(out)?;
        }
    }
    Ok(())
}
