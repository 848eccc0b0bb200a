//! An RGB picture in memory, and its way to PNG.

use std::path::Path;

use crate::VizError;

/// A picture of 8-bit RGB pixels, rows from the top.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// Width in pixels.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
    /// `[height, width, 3]`.
    pub rgb: Vec<u8>,
}

impl Picture {
    /// A picture of one colour.
    #[must_use]
    pub fn filled(width: usize, height: usize, colour: [u8; 3]) -> Self {
        Self {
            width,
            height,
            rgb: colour.repeat(width * height),
        }
    }

    /// Fills the rectangle with its top left corner at (`left`, `top`); what lies outside is cut off.
    pub fn fill_rect(
        &mut self,
        left: usize,
        top: usize,
        width: usize,
        height: usize,
        colour: [u8; 3],
    ) {
        for y in top..(top + height).min(self.height) {
            for x in left..(left + width).min(self.width) {
                let at = 3 * (y * self.width + x);
                self.rgb[at..at + 3].copy_from_slice(&colour);
            }
        }
    }

    /// The picture as PNG bytes; one byte per pixel if it is grey throughout.
    ///
    /// # Errors
    /// [`VizError::Length`] if `rgb` does not fit the size, [`VizError::Encode`] if the encoder refuses (zero size).
    pub fn to_png(&self) -> Result<Vec<u8>, VizError> {
        let expected = 3 * self.width * self.height;
        if self.rgb.len() != expected {
            return Err(VizError::Length {
                what: "rgb",
                expected,
                got: self.rgb.len(),
            });
        }
        let grey = self
            .rgb
            .chunks_exact(3)
            .all(|p| p[0] == p[1] && p[1] == p[2]);
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, self.width as u32, self.height as u32);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.set_compression(png::Compression::High);
        let data = if grey {
            encoder.set_color(png::ColorType::Grayscale);
            self.rgb.iter().step_by(3).copied().collect()
        } else {
            encoder.set_color(png::ColorType::Rgb);
            self.rgb.clone()
        };
        let failed = |source| VizError::Encode {
            width: self.width,
            height: self.height,
            source,
        };
        let mut writer = encoder.write_header().map_err(failed)?;
        writer.write_image_data(&data).map_err(failed)?;
        writer.finish().map_err(failed)?;
        Ok(bytes)
    }

    /// Writes the picture as a PNG file; missing folders are made.
    ///
    /// # Errors
    /// As [`Picture::to_png`], and [`VizError::Write`] if the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), VizError> {
        let path = path.as_ref();
        let bytes = self.to_png()?;
        let written = match path.parent() {
            Some(folder) => {
                std::fs::create_dir_all(folder).and_then(|()| std::fs::write(path, bytes))
            }
            None => std::fs::write(path, bytes),
        };
        written.map_err(|source| VizError::Write {
            path: path.to_owned(),
            source,
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Size, colour type and samples of PNG bytes.
    pub(crate) fn decode(bytes: &[u8]) -> (u32, u32, png::ColorType, Vec<u8>) {
        let mut reader = png::Decoder::new(std::io::Cursor::new(bytes))
            .read_info()
            .unwrap();
        let mut data = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut data).unwrap();
        data.truncate(info.buffer_size());
        (info.width, info.height, info.color_type, data)
    }

    #[test]
    fn colours_survive_the_file() {
        let mut picture = Picture::filled(5, 4, [250, 251, 252]);
        picture.fill_rect(3, 2, 9, 9, [1, 2, 3]);
        let (width, height, kind, data) = decode(&picture.to_png().unwrap());
        assert_eq!((width, height, kind), (5, 4, png::ColorType::Rgb));
        assert_eq!(data, picture.rgb);
        assert_eq!(&data[data.len() - 3..], [1, 2, 3]);
    }

    #[test]
    fn grey_pictures_take_one_byte_per_pixel() {
        let (_, _, kind, data) = decode(&Picture::filled(3, 2, [9; 3]).to_png().unwrap());
        assert_eq!((kind, data), (png::ColorType::Grayscale, vec![9; 6]));
    }

    #[test]
    fn bad_sizes_are_errors() {
        assert!(matches!(
            Picture::filled(0, 3, [0; 3]).to_png(),
            Err(VizError::Encode { .. })
        ));
        let torn = Picture {
            width: 2,
            height: 2,
            rgb: vec![0; 11],
        };
        assert!(matches!(
            torn.to_png(),
            Err(VizError::Length {
                expected: 12,
                got: 11,
                ..
            })
        ));
    }
}
