// Draws every concept of concepts.csv once per icon set: OUT/<set>/<concept>.png, RGBA, 224 x 224, on white.
// Usage: node render.mjs OUT
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { Resvg } from "@resvg/resvg-js";

const SIZE = 224;
const MARGIN = 18; // 8 % of the side
// Some drawings of noto-v1 keep hidden shapes outside their view box. resvg 2.6 aborts on a clipped shape that lies
// outside the canvas, so the canvas is larger on all sides and is cropped afterwards.
const BORDER = 4 * SIZE;
const SETS = ["noto", "noto-v1", "twemoji", "fluent-emoji-flat", "emojione"]; // groups 1 to 5

const out = process.argv[2];
if (!out) throw new Error("usage: node render.mjs OUT");

const require = createRequire(import.meta.url);
const concepts = readFileSync(new URL("concepts.csv", import.meta.url), "utf8")
  .trim().split("\n").slice(1).map((line) => line.split(",")[0]);

for (const set of SETS) {
  const icons = require(`@iconify-json/${set}/icons.json`);
  mkdirSync(join(out, set), { recursive: true });
  for (const concept of concepts) {
    const png = new Resvg(svg(icons, concept), {
      background: "#ffffff",
      crop: { left: BORDER, top: BORDER, right: BORDER + SIZE, bottom: BORDER + SIZE },
      font: { loadSystemFonts: false }, // no icon has text: nothing of the machine's may enter
    }).render().asPng();
    writeFileSync(join(out, set, `${concept}.png`), png);
  }
  console.log(`${set}: ${concepts.length} images`);
}

/** The drawing in a nested <svg>, which clips it to its own view box as every viewer does. */
function svg(icons, name) {
  const { body, left, top, width, height } = icon(icons, name);
  if (/<(text|image|foreignObject|script)\b/.test(body)) throw new Error(`${icons.prefix}:${name} is not shapes only`);
  const canvas = SIZE + 2 * BORDER;
  const corner = BORDER + MARGIN;
  const side = SIZE - 2 * MARGIN;
  return `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" `
    + `width="${canvas}" height="${canvas}">`
    + `<svg x="${corner}" y="${corner}" width="${side}" height="${side}" viewBox="${left} ${top} ${width} ${height}">`
    + `${body}</svg></svg>`;
}

/** The icon of that name, or the one that the name is an alias of. */
function icon(icons, name) {
  let key = name;
  while (!icons.icons[key]) {
    const alias = icons.aliases?.[key];
    if (!alias) throw new Error(`${icons.prefix} has no icon ${name}`);
    if (Object.keys(alias).some((k) => k !== "parent")) throw new Error(`${icons.prefix}:${key} is a transformed alias`);
    key = alias.parent;
  }
  const box = { left: 0, top: 0, width: 16, height: 16 };
  for (const k of Object.keys(box)) box[k] = icons.icons[key][k] ?? icons[k] ?? box[k];
  return { ...box, body: icons.icons[key].body };
}
