//! Pages that lie askew: by how much the lines of a picture are turned, and the picture turned back.
//! This module owns how a turned picture lies on its page; it must not know what the picture shows.

use image::GrayImage;
use serde::{Deserialize, Serialize};

/// The longest side of the picture that the turn is looked for in.
const LOOKED_AT: u32 = 1000;
/// Dark pixels that are looked at, at most; more tell no more.
const MOST_INK: usize = 60_000;
/// The steepest turn that is looked for, in degrees: beyond it a page was not put down askew but
/// turned on purpose.
const STEEPEST: f32 = 15.0;
/// Steps of the first look and of the second, in degrees.
const COARSE: f32 = 0.5;
const FINE: f32 = 0.1;
/// Turns that recognition takes as they are, in degrees: up to 3 levelling made it no better or
/// worse, at 4 a page loses a third, from 5 on half and more.
const HARMLESS: f32 = 3.5;
/// How many times sharper lines have to be when the picture is turned back: what has no lines, or
/// lines in many directions, stays as it is. A page of text that is turned by 3 degrees becomes
/// fifteen times as sharp.
const SHARPER: f64 = 4.0;
/// A pixel is dark when it has less than so many parts in 100 of the paper's light.
const DARK: u32 = 65;

/// How a raster lies on its page: where its upper left corner is, in points from that of the page,
/// how many of its pixels are a point, and by how much its rows are turned, in degrees clockwise.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct Frame {
    /// Pixels of the raster in a point of the page. A picture knows no inches: each of its pixels
    /// counts as a point.
    pub scale: f32,
    /// Degrees, clockwise.
    pub turned: f32,
    /// Points right of the page's left edge.
    pub x: f32,
    /// Points below the page's upper edge.
    pub y: f32,
}

impl Frame {
    /// Of a raster that is the whole page, upright.
    pub const fn upright(scale: f32) -> Self {
        Self {
            scale,
            turned: 0.0,
            x: 0.0,
            y: 0.0,
        }
    }

    /// The upright box, in points of the page, around one in pixels of the raster: left, upper edge,
    /// width, height.
    pub(super) fn on_page(&self, [x, y, width, height]: [f32; 4]) -> [f32; 4] {
        let (sine, cosine) = self.turned.to_radians().sin_cos();
        let corners = [
            (x, y),
            (x + width, y),
            (x, y + height),
            (x + width, y + height),
        ];
        let corners = corners.map(|(x, y)| {
            let (x, y) = (x / self.scale, y / self.scale);
            (
                self.x + x * cosine - y * sine,
                self.y + x * sine + y * cosine,
            )
        });
        let least =
            |of: fn((f32, f32)) -> f32| corners.map(of).into_iter().fold(f32::MAX, f32::min);
        let most = |of: fn((f32, f32)) -> f32| corners.map(of).into_iter().fold(f32::MIN, f32::max);
        let (left, top) = (least(|at| at.0), least(|at| at.1));
        [left, top, most(|at| at.0) - left, most(|at| at.1) - top]
    }
}

/// The picture with its lines level, when they were not; `paper` is the shade of what is bare.
pub(super) fn level(picture: GrayImage, paper: u8, scale: f32, most: u64) -> (GrayImage, Frame) {
    let upright = Frame::upright(scale);
    let turned = turn(&picture, paper);
    if turned.abs() < HARMLESS {
        return (picture, upright);
    }
    let (sine, cosine) = turned.to_radians().sin_cos();
    let (width, height) = (picture.width() as f32, picture.height() as f32);
    // Large enough that no corner is cut off.
    let wide = width * cosine + height * sine.abs();
    let high = height * cosine + width * sine.abs();
    if f64::from(wide) * f64::from(high) > most as f64 {
        return (picture, upright);
    }
    // Where the corner of the larger picture lies in the smaller one: their middles are one.
    let x = width / 2.0 - (wide * cosine - high * sine) / 2.0;
    let y = height / 2.0 - (wide * sine + high * cosine) / 2.0;
    let level = GrayImage::from_fn(wide.ceil() as u32, high.ceil() as u32, |right, down| {
        let (right, down) = (right as f32, down as f32);
        let at_x = x + right * cosine - down * sine;
        let at_y = y + right * sine + down * cosine;
        image::Luma([shade(&picture, at_x, at_y, paper)])
    });
    let frame = Frame {
        scale,
        turned,
        x: x / scale,
        y: y / scale,
    };
    (level, frame)
}

/// The shade between pixels.
fn shade(picture: &GrayImage, x: f32, y: f32, paper: u8) -> u8 {
    let (left, top) = (x.floor(), y.floor());
    let at = |x: f32, y: f32| {
        let is_in = x >= 0.0 && y >= 0.0;
        let pixel = is_in.then(|| picture.get_pixel_checked(x as u32, y as u32));
        f32::from(pixel.flatten().map_or(paper, |pixel| pixel.0[0]))
    };
    let (right, down) = (x - left, y - top);
    let upper = at(left, top) * (1.0 - right) + at(left + 1.0, top) * right;
    let lower = at(left, top + 1.0) * (1.0 - right) + at(left + 1.0, top + 1.0) * right;
    (upper * (1.0 - down) + lower * down).round() as u8
}

/// By how many degrees the lines of a picture fall to the right; 0 when it has none that are sharp.
fn turn(picture: &GrayImage, paper: u8) -> f32 {
    let ink = ink(picture, paper);
    let steps = |from: f32, to: f32, step: f32| {
        let count = ((to - from) / step).round() as u32;
        (0..=count).map(move |number| from + number as f32 * step)
    };
    let sharpest = |angles: &mut dyn Iterator<Item = f32>| {
        let measured = angles.map(|angle| (angle, sharpness(&ink, angle)));
        measured.fold(
            (0.0, 0.0),
            |best, next| if next.1 > best.1 { next } else { best },
        )
    };
    let (near, _) = sharpest(&mut steps(-STEEPEST, STEEPEST, COARSE));
    let (angle, sharp) = sharpest(&mut steps(near - COARSE, near + COARSE, FINE));
    // A best one at the edge of what is looked at is none.
    let is_turned = angle.abs() <= STEEPEST && sharp >= sharpness(&ink, 0.0) * SHARPER;
    if is_turned { angle } else { 0.0 }
}

/// Where a picture is dark, in a smaller one.
fn ink(picture: &GrayImage, paper: u8) -> Vec<(f32, f32)> {
    let factor = (picture.width().max(picture.height()) / LOOKED_AT).max(1);
    let dark = u32::from(paper) * DARK / 100;
    let mut ink = Vec::new();
    for y in 0..picture.height() / factor {
        for x in 0..picture.width() / factor {
            let mut sum = 0;
            for pixel in 0..factor * factor {
                let (right, down) = (x * factor + pixel % factor, y * factor + pixel / factor);
                let shade = picture.get_pixel_checked(right, down);
                sum += shade.map_or(255, |shade| u32::from(shade.0[0]));
            }
            if sum / (factor * factor) < dark {
                ink.push((x as f32, y as f32));
            }
        }
    }
    let step = ink.len().div_ceil(MOST_INK).max(1);
    ink.into_iter().step_by(step).collect()
}

/// How much rows differ from the next ones when the picture is turned back by an angle: along lines
/// of text full rows are beside empty ones.
fn sharpness(ink: &[(f32, f32)], degrees: f32) -> f64 {
    let (sine, cosine) = degrees.to_radians().sin_cos();
    let mut rows = vec![0_i64; 4 * LOOKED_AT as usize];
    for (x, y) in ink {
        let row = y * cosine - x * sine + 1.5 * LOOKED_AT as f32;
        if let Some(count) = rows.get_mut(row.max(0.0) as usize) {
            *count += 1;
        }
    }
    let differences = rows.windows(2).map(|pair| match pair {
        [one, next] => (next - one).pow(2) as f64,
        _ => 0.0,
    });
    differences.sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Luma;

    /// Lines of dashes on paper, falling to the right by so many degrees.
    fn page(degrees: f32) -> GrayImage {
        let (sine, cosine) = degrees.to_radians().sin_cos();
        GrayImage::from_fn(900, 1200, |x, y| {
            let (x, y) = (x as f32 - 450.0, y as f32 - 600.0);
            let (along, down) = (x * cosine + y * sine, y * cosine - x * sine);
            let is_line = down.rem_euclid(40.0) < 12.0 && down.abs() < 500.0;
            let is_dash = along.rem_euclid(17.0) < 11.0 && along.abs() < 350.0;
            Luma([if is_line && is_dash { 30 } else { 240 }])
        })
    }

    #[test]
    fn a_turn_is_found_and_undone() {
        for degrees in [-8.0, -4.2, 5.0, 10.0] {
            let page = page(degrees);
            let found = turn(&page, 240);
            assert!((found - degrees).abs() <= 0.2, "{degrees}: {found}");
            let (level, frame) = level(page, 240, 2.0, 40_000_000);
            assert!(turn(&level, 240).abs() < 0.3, "{degrees}");
            assert!((frame.turned - degrees).abs() <= 0.2);
            // The middle of the page stays the middle.
            let middle = [
                level.width() as f32 / 2.0,
                level.height() as f32 / 2.0,
                0.0,
                0.0,
            ];
            let [x, y, ..] = frame.on_page(middle);
            assert!(
                (x - 225.0).abs() < 1.0 && (y - 300.0).abs() < 1.0,
                "{x} {y}"
            );
        }
    }

    #[test]
    fn what_lies_straight_or_has_no_lines_stays_as_it_is() {
        let upright = Frame::upright(3.0);
        for page in [
            page(0.0),
            page(3.0),
            GrayImage::from_pixel(900, 1200, Luma([240])),
            GrayImage::from_fn(900, 900, |x, y| {
                let far = (x as f32 - 450.0).hypot(y as f32 - 450.0);
                Luma([if far.rem_euclid(40.0) < 12.0 { 30 } else { 240 }])
            }),
            GrayImage::new(0, 0),
            GrayImage::from_pixel(1, 1, Luma([0])),
        ] {
            let (same, frame) = level(page.clone(), 240, 3.0, 40_000_000);
            assert!(same == page);
            assert_eq!(frame, upright);
        }
        // One that would grow beyond the limit is read as it is.
        assert_eq!(level(page(8.0), 240, 3.0, 900 * 1200).1, upright);
    }

    #[test]
    fn boxes_lie_on_the_page_as_shown() {
        let upright = Frame::upright(2.0);
        assert_eq!(upright.on_page([4.0, 6.0, 8.0, 2.0]), [2.0, 3.0, 4.0, 1.0]);
        let quarter = Frame {
            turned: 90.0,
            x: 10.0,
            y: 0.0,
            ..upright
        };
        let [x, y, width, height] = quarter.on_page([4.0, 6.0, 8.0, 2.0]);
        let near = |one: f32, other: f32| (one - other).abs() < 1e-4;
        assert!(near(x, 6.0) && near(y, 2.0), "{x} {y}");
        assert!(near(width, 1.0) && near(height, 4.0), "{width} {height}");
    }
}
