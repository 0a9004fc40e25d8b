// What does `:white_check_mark:` look like? Drawn here, so that no emoji font is needed.

const SVG = "http://www.w3.org/2000/svg";
const LINE = { fill: "none", stroke: "currentColor", "stroke-width": 2.2, "stroke-linecap": "round", "stroke-linejoin": "round" };
const disc = (tone) => ({ tone, shapes: [["circle", { cx: 12, cy: 12, r: 8, fill: "currentColor" }]] });
const badge = (tone, path) => ({
  tone,
  shapes: [
    ["rect", { x: 2.5, y: 2.5, width: 19, height: 19, rx: 5, fill: "currentColor" }],
    ["path", { ...LINE, stroke: "#fff", d: path }],
  ],
});

const ICONS = {
  red_circle: disc("bad"),
  large_orange_circle: disc("warn"),
  large_yellow_circle: disc("warn"),
  large_green_circle: disc("good"),
  large_blue_circle: disc("info"),
  white_circle: { tone: "faint", shapes: [["circle", { cx: 12, cy: 12, r: 7, ...LINE }]] },
  white_check_mark: badge("good", "M7 12.5l3.4 3.4L17 8.6"),
  heavy_check_mark: { tone: "good", shapes: [["path", { ...LINE, "stroke-width": 3, d: "M5 12.5l4.6 4.6L19 7.6" }]] },
  x: { tone: "bad", shapes: [["path", { ...LINE, "stroke-width": 3, d: "M6 6l12 12M18 6L6 18" }]] },
  no_entry: { tone: "bad", shapes: [["circle", { cx: 12, cy: 12, r: 9, fill: "currentColor" }], ["path", { ...LINE, stroke: "#fff", "stroke-width": 3, d: "M7 12h10" }]] },
  no_entry_sign: { tone: "bad", shapes: [["circle", { cx: 12, cy: 12, r: 8.5, ...LINE }], ["path", { ...LINE, d: "M6 6l12 12" }]] },
  warning: { tone: "warn", shapes: [["path", { d: "M12 3l10 18H2z", fill: "currentColor" }], ["path", { ...LINE, stroke: "#fff", d: "M12 10v5M12 18v.1" }]] },
  hourglass_flowing_sand: { tone: "info", shapes: [["path", { ...LINE, d: "M7 3h10M7 21h10M8 3c0 5 8 5 8 9s-8 4-8 9M16 3c0 5-8 5-8 9s8 4 8 9" }]] },
  hourglass: { tone: "warn", shapes: [["path", { ...LINE, d: "M7 3h10M7 21h10M8 3c0 5 8 5 8 9s-8 4-8 9M16 3c0 5-8 5-8 9s8 4 8 9" }]] },
  unlock: { tone: "good", shapes: [["rect", { x: 4.5, y: 10.5, width: 15, height: 10.5, rx: 2.5, fill: "currentColor" }], ["path", { ...LINE, d: "M8 10V6.5a4 4 0 017.5-2" }]] },
  gear: { tone: "info", shapes: [["circle", { cx: 12, cy: 12, r: 5.5, ...LINE, "stroke-width": 4 }], ["path", { ...LINE, "stroke-width": 3, "stroke-linecap": "butt", d: "M12 2.500v4M12 17.500v4M2.5 12h4M17.5 12h4M5.3 5.300l2.8 2.800M15.9 15.900l2.8 2.800M18.7 5.300l-2.8 2.800M8.1 15.900l-2.8 2.8" }]] },
  grey_question: { tone: "faint", shapes: [["path", { ...LINE, "stroke-width": 2.8, d: "M8 8.5a4 4 0 117 2.6c-1.6 1.3-3 1.9-3 3.9M12 19.5v.1" }]] },
  lock: { tone: "warn", shapes: [["rect", { x: 4.5, y: 10.5, width: 15, height: 10.5, rx: 2.5, fill: "currentColor" }], ["path", { ...LINE, d: "M8 10V7.5a4 4 0 018 0V10" }]] },
  question: { tone: "warn", shapes: [["path", { ...LINE, "stroke-width": 2.8, d: "M8 8.5a4 4 0 117 2.6c-1.6 1.3-3 1.9-3 3.9M12 19.5v.1" }]] },
  arrows_counterclockwise: { tone: "info", shapes: [["path", { ...LINE, d: "M19 8a8 8 0 00-14-1M5 3v4h4M5 16a8 8 0 0014 1M19 21v-4h-4" }]] },
  wrench: { tone: "info", shapes: [["path", { ...LINE, d: "M14 7a4.5 4.5 0 016-4l-3 3 1 2 2 1 3-3a4.5 4.5 0 01-6 6L7.5 21.5a2.1 2.1 0 01-3-3z" }]] },
  mag: { tone: "info", shapes: [["circle", { cx: 10, cy: 10, r: 6.5, ...LINE }], ["path", { ...LINE, d: "M15 15l6 6" }]] },
  information_source: badge("info", "M12 11v6M12 7v.1"),
  wastebasket: { tone: "faint", shapes: [["path", { ...LINE, d: "M4 7h16M9 7V4h6v3M6 7l1 14h10l1-14" }]] },
  eyes: { tone: "info", shapes: [["circle", { cx: 7.5, cy: 12, r: 4.5, ...LINE }], ["circle", { cx: 16.5, cy: 12, r: 4.5, ...LINE }], ["circle", { cx: 8.5, cy: 13, r: 1.6, fill: "currentColor" }], ["circle", { cx: 17.5, cy: 13, r: 1.6, fill: "currentColor" }]] },
};

/** The drawing of an emoji, or its shortcode as text when it is not known. */
export function emoji(name) {
  const icon = ICONS[name];
  if (!icon) return document.createTextNode(`:${name}:`);
  const svg = document.createElementNS(SVG, "svg");
  for (const [key, value] of Object.entries({ viewBox: "0 0 24 24", class: `emoji ${icon.tone}`, role: "img", "aria-label": name.replaceAll("_", " ") })) {
    svg.setAttribute(key, value);
  }
  for (const [tag, attributes] of icon.shapes) {
    const shape = document.createElementNS(SVG, tag);
    for (const [key, value] of Object.entries(attributes)) shape.setAttribute(key, value);
    svg.append(shape);
  }
  return svg;
}
