//! Pictures and pages without text as rasters: sizes, pages, orientation, bombs.

use kmrl_extraction::{
    ExtractError, Format, Input, Limits, Origin, Raster, RasterLimits, extract, fixtures, rasterise,
};

fn input<'a>(bytes: &'a [u8], file_name: &'a str) -> Input<'a> {
    Input {
        bytes,
        file_name,
        content_type: None,
    }
}

fn rasters(bytes: &[u8], name: &str, pages: &[u32]) -> Result<Vec<Raster>, ExtractError> {
    let mut found = Vec::new();
    let limits = RasterLimits::default();
    rasterise(&input(bytes, name), pages, &limits, &mut |raster| {
        found.push(raster);
        true
    })?;
    Ok(found)
}

/// Two uncompressed pictures of 8 bits a pixel: 3 by 2 pixels of 10, then 2 by 4 of 200, which
/// says that its top is its right side.
fn tiff() -> Vec<u8> {
    const ENTRIES: u16 = 9;
    let size = 2 + 12 * u32::from(ENTRIES) + 4;
    let pixels = 8 + 2 * size;
    let mut file = b"II\x2A\0\x08\0\0\0".to_vec();
    let pages = [
        (3_u32, 2_u32, 1_u32, pixels, 8 + size),
        (2, 4, 6, pixels + 6, 0),
    ];
    for (width, height, orientation, at, next) in pages {
        file.extend(ENTRIES.to_le_bytes());
        for (tag, kind, value) in [
            (256_u16, 4_u16, width),
            (257, 4, height),
            (258, 3, 8),
            (259, 3, 1),
            (262, 3, 1),
            (273, 4, at),
            (274, 3, orientation),
            (278, 4, height),
            (279, 4, width * height),
        ] {
            file.extend(tag.to_le_bytes());
            file.extend(kind.to_le_bytes());
            file.extend(1_u32.to_le_bytes());
            file.extend(value.to_le_bytes());
        }
        file.extend(next.to_le_bytes());
    }
    file.extend([10; 6]);
    file.extend([200; 8]);
    file
}

#[test]
fn every_page_of_a_tiff_is_a_picture_of_its_own() {
    let read = extract(&input(&tiff(), "fax.tif"), &Limits::default(), &mut |_| {
        true
    })
    .unwrap();
    assert_eq!(read.format, Format::Tiff);
    assert_eq!(read.pictures(), [1, 2]);
    assert!(read.pages.iter().all(|page| page.origin == Origin::Picture));
    let found = rasters(&tiff(), "fax.tif", &[1, 2]).unwrap();
    // Small pictures are enlarged twice.
    let sizes: Vec<_> = found.iter().map(|r| (r.page, r.width, r.height)).collect();
    // The second was turned upright.
    assert_eq!(sizes, [(1, 6, 4), (2, 8, 4)]);
    assert!(found[0].pixels.iter().all(|pixel| *pixel == 10));
    assert!(found[1].pixels.iter().all(|pixel| *pixel == 200));
    assert_eq!(
        rasters(&tiff(), "fax.tif", &[3]).unwrap_err().code(),
        "damaged"
    );
}

#[test]
fn a_page_of_a_pdf_is_drawn_at_the_resolution_asked_for() {
    // A black square of an inch in the upper left corner.
    let pdf = fixtures::pdf_of_contents(&["0 770 72 72 re f".to_owned()]);
    let read = extract(&input(&pdf, "a.pdf"), &Limits::default(), &mut |_| true).unwrap();
    assert_eq!(read.pictures(), [1]);
    assert_eq!(read.confidence, 0.0);
    let raster = rasters(&pdf, "a.pdf", &[1]).unwrap().remove(0);
    assert_eq!((raster.width, raster.height), (2479, 3508));
    let at = |x: u32, y: u32| raster.pixels[(y * raster.width + x) as usize];
    assert_eq!((at(150, 150), at(280, 280)), (0, 0));
    assert_eq!((at(320, 150), at(150, 320)), (255, 255));
}

#[test]
fn a_bomb_is_known_by_its_header() {
    // Says that it has 50,000 by 50,000 pixels, and holds none.
    let mut bomb = b"\x89PNG\r\n\x1A\n\0\0\0\rIHDR".to_vec();
    bomb.extend(50_000_u32.to_be_bytes());
    bomb.extend(50_000_u32.to_be_bytes());
    bomb.extend(b"\x08\0\0\0\0");
    let crc = {
        let mut crc = u32::MAX;
        for byte in &bomb[12..] {
            crc ^= u32::from(*byte);
            for _ in 0..8 {
                crc = crc >> 1 ^ if crc & 1 == 1 { 0xEDB8_8320 } else { 0 };
            }
        }
        !crc
    };
    bomb.extend(crc.to_be_bytes());
    bomb.extend(b"\0\0\0\0IDAT\x35\xAF\x06\x1E");
    let refused = extract(&input(&bomb, "a.png"), &Limits::default(), &mut |_| true);
    assert_eq!(refused.unwrap_err().code(), "too_large");
    assert_eq!(
        rasters(&bomb, "a.png", &[1]).unwrap_err().code(),
        "too_large"
    );
}

#[test]
fn broken_pictures_are_refused() {
    for (bytes, name) in [
        (&b"\x89PNG\r\n\x1A\nand no more"[..], "a.png"),
        (b"\xFF\xD8\xFF\xE0 nothing", "a.jpg"),
        (b"GIF89a", "a.gif"),
        (b"BM", "a.bmp"),
        (b"II\x2A\0\x08\0\0\0", "a.tif"),
        (b"RIFF\x10\0\0\0WEBPVP8 ", "a.webp"),
    ] {
        let read = extract(&input(bytes, name), &Limits::default(), &mut |_| true);
        assert_eq!(read.unwrap_err().code(), "damaged", "{name}");
        assert!(rasters(bytes, name, &[1]).is_err(), "{name}");
    }
}

#[test]
fn who_has_enough_stops_the_work() {
    let limits = RasterLimits::default();
    let stopped = rasterise(&input(&tiff(), "a.tif"), &[1, 2], &limits, &mut |_| false);
    let expected = ExtractError::Cancelled {
        pages_done: 0,
        pages: 2,
    };
    assert_eq!(stopped.unwrap_err(), expected);
}
