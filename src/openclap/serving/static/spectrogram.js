// A spectrogram as it comes from the server, painted with its axes.

import { colourMap } from "./colours.js";
import { isDark } from "./theme.js";

export const LEFT = 54; // room for the frequencies
export const BELOW = 22; // room for the seconds
const STEPS_S = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200];

/**
 * What the server says a clip looks like: `levels`, a byte for each band and column, and `head`, what they mean.
 * @throws {Error} with the server's reason, for sound that cannot be used
 */
export async function fetchSpectrogram(url, signal) {
  const response = await fetch(url, { signal });
  if (!response.ok) {
    const told = await response.json().catch(() => ({}));
    throw new Error(told.reason ?? `the server answered ${response.status}`);
  }
  const head = JSON.parse(response.headers.get("x-spectrogram"));
  return { head, levels: new Uint8Array(await response.arrayBuffer()) };
}

/** Paint a spectrogram over the whole of a canvas, sharp on any screen; null wipes it. */
export function paint(canvas, picture) {
  const scale = window.devicePixelRatio || 1;
  const { clientWidth: width, clientHeight: height } = canvas;
  canvas.width = Math.max(1, Math.round(width * scale));
  canvas.height = Math.max(1, Math.round(height * scale));
  const context = canvas.getContext("2d");
  if (!picture || width <= LEFT) return;
  context.scale(scale, scale);
  context.imageSmoothingQuality = "high";
  context.drawImage(image(picture), LEFT, 0, width - LEFT, height - BELOW);
  axes(context, picture.head, width - LEFT, height - BELOW, getComputedStyle(canvas));
}

function image({ head, levels }) {
  const colours = colourMap(isDark());
  const pixels = new Uint32Array(levels.length);
  for (let place = 0; place < levels.length; place++) pixels[place] = colours[levels[place]];
  const canvas = new OffscreenCanvas(head.columns, head.bands);
  const data = new ImageData(new Uint8ClampedArray(pixels.buffer), head.columns, head.bands);
  canvas.getContext("2d").putImageData(data, 0, 0);
  return canvas;
}

function axes(context, head, width, height, style) {
  context.font = `11px ${style.getPropertyValue("font-family")}`;
  context.fillStyle = context.strokeStyle = style.color;
  context.lineWidth = 1;
  context.beginPath();
  context.textAlign = "right";
  context.textBaseline = "middle";
  let above = height + 20;
  for (const { hz, place } of head.ticks) {
    const y = place * height;
    if (above - y < 17 || y < 7) continue; // low frequencies lie close together
    above = y;
    context.fillText(hz >= 1000 ? `${hz / 1000} kHz` : `${hz} Hz`, LEFT - 7, y);
    line(context, LEFT - 4, y, LEFT, y);
  }
  context.textAlign = "center";
  const step = STEPS_S.find((seconds) => (seconds / head.duration_s) * width >= 56) ?? 36000;
  const digits = step < 0.1 ? 2 : step < 1 ? 1 : 0;
  for (let count = 0; count * step <= head.duration_s; count++) {
    const x = LEFT + ((count * step) / head.duration_s) * width;
    line(context, x, height, x, height + 4);
    if (x > LEFT + width - 18) continue;
    context.fillText(stamp(count * step, digits), Math.max(x, LEFT + 8), height + 13);
  }
  context.stroke();
}

function line(context, ...[x0, y0, x1, y1]) {
  context.moveTo(Math.round(x0) + 0.5, Math.round(y0) + 0.5);
  context.lineTo(Math.round(x1) + 0.5, Math.round(y1) + 0.5);
}

function stamp(seconds, digits) {
  if (seconds < 60) return `${seconds.toFixed(digits)} s`;
  const rest = Math.round(seconds) % 60;
  return `${Math.floor(Math.round(seconds) / 60)}:${String(rest).padStart(2, "0")}`;
}
