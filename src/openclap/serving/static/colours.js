// Colour maps whose steps look equal: drawn as paths through OKLCH, in which lightness is what the eye sees of it.
// OKLab: B. Ottosson, "A perceptual color space for image processing", 2020.

/** 256 colours, packed as canvases hold them: faint sound first, close to the page's own background. */
export function colourMap(dark) {
  // Lightness runs evenly; hue goes from violet over red to yellow on dark, from paper over rose to deep violet on light.
  const path = dark
    ? { light: [0.2, 0.97], hue: [-75, 100], chroma: (x) => 0.012 + 0.175 * Math.sin(Math.PI * 0.84 * x) }
    : { light: [0.99, 0.2], hue: [75, -85], chroma: (x) => 0.005 + 0.17 * Math.sin(Math.PI * 0.88 * x) };
  const colours = new Uint32Array(256);
  for (let level = 0; level < 256; level++) {
    const x = level / 255;
    const light = path.light[0] + (path.light[1] - path.light[0]) * x;
    const hue = path.hue[0] + (path.hue[1] - path.hue[0]) * x;
    colours[level] = packed(light, path.chroma(x), (hue * Math.PI) / 180);
  }
  return colours;
}

function packed(light, chroma, hue) {
  const a = chroma * Math.cos(hue);
  const b = chroma * Math.sin(hue);
  const l = (light + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (light - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (light - 0.0894841775 * a - 1.291485548 * b) ** 3;
  const red = 4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s;
  const green = -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s;
  const blue = -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s;
  return (255 << 24) | (byte(blue) << 16) | (byte(green) << 8) | byte(red); // little-endian RGBA
}

function byte(linear) {
  const x = Math.min(1, Math.max(0, linear));
  return Math.round(255 * (x <= 0.0031308 ? 12.92 * x : 1.055 * x ** (1 / 2.4) - 0.055));
}
