'use strict';

// --- Elements: text is always set as text ---------------------------------------------------------------------

function make(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name.startsWith('on')) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, '');
    else if (value != null && value !== false) node.setAttribute(name, value);
  }
  node.append(...children.flat(9).filter(child => child != null && child !== false));
  return node;
}
const el = (name, attributes, ...children) => make(document.createElement(name), attributes, children);
const svg = (name, attributes, ...children) =>
  make(document.createElementNS('http://www.w3.org/2000/svg', name), attributes, children);

const number = (value, places = 3) => value == null ? '–' : value.toFixed(places).replace('-', '−');
/** Black is drawn in the colour of the text, for dark pages. */
const stroke = color => color === '#000000' ? 'currentColor' : color;

// --- The chart ------------------------------------------------------------------------------------------------

/**
 * Curves over layers. `series`: {name, index, style, values, filled(i), interval(i)}; `bands`: {className or color, at(i)}.
 * With `act`, {choose(layer, index), hover(layer, index), leave(), index}, pointer and keyboard move along the curves;
 * `here` is the layer marked.
 */
function chart({ series, bands = [], labels, here, width, act, name, tall = 0.62 }) {
  const height = Math.round(Math.min(460, Math.max(270, width * tall)));
  const slot = (width - 60) / labels.length;
  const longest = Math.max(...labels.map(label => label.length)) * 7.4;
  const slanted = longest > slot - 6;
  const every = slanted ? Math.ceil(17 / slot) : 1;
  const box = { left: 44, right: width - 12, top: 12, bottom: height - (slanted ? Math.min(longest, 110) * 0.75 + 18 : 26) };
  const all = at => labels.flatMap((_, i) => at(i) || []);
  const values = [0.5, ...series.flatMap(s => [...s.values, ...(s.interval ? all(s.interval) : [])]), ...bands.flatMap(b => all(b.at))]
    .filter(v => v != null);
  const low = Math.max(0, Math.floor(Math.min(...values) * 10 - 0.2) / 10);
  const high = Math.min(1, Math.ceil(Math.max(...values) * 10 + 0.2) / 10);
  const x = i => box.left + (i + 0.5) * (box.right - box.left) / labels.length;
  const y = v => box.bottom - (v - low) / (high - low) * (box.bottom - box.top);
  const root = svg('svg', { viewBox: `0 0 ${width} ${height}`, class: 'drawn', role: act ? 'application' : 'img', 'aria-label': name,
    'aria-roledescription': act ? 'chart' : null, tabindex: act ? 0 : null });

  // Where intervals of all curves have no room side by side they become bands.
  const dense = slot < 12 * series.length;
  const areas = dense ? series.filter(s => s.interval).map(s => ({ color: stroke(s.style.color), at: i => s.interval(i) || null })) : [];
  for (const band of [...bands, ...areas]) {
    // Cut where a layer has no value.
    const runs = [[]];
    labels.forEach((_, i) => band.at(i) ? runs.at(-1).push(i) : runs.push([]));
    for (const run of runs.filter(run => run.length)) {
      const reach = i => [i === 0 ? box.left : x(i), i === labels.length - 1 ? box.right : x(i)];
      const upper = run.flatMap(i => reach(i).map(at => `${at},${y(band.at(i)[1])}`));
      const lower = run.flatMap(i => reach(i).map(at => `${at},${y(band.at(i)[0])}`)).reverse();
      root.append(svg('polygon', { points: [...upper, ...lower].join(' '), class: band.className,
        fill: band.color, 'fill-opacity': band.color && 0.15 }));
    }
  }
  if (here != null) root.append(svg('rect', { class: 'here', x: x(here) - Math.min(slot, 44) / 2, width: Math.min(slot, 44),
    y: box.top, height: box.bottom - box.top }));
  const step = high - low > 0.55 || height < 300 ? 0.1 : 0.05;
  for (let n = Math.round(low / step); n <= Math.round(high / step); n++) {
    root.append(svg('line', { class: 'grid', x1: box.left, x2: box.right, y1: y(n * step), y2: y(n * step) }),
      svg('text', { class: 'quiet', x: box.left - 7, y: y(n * step) + 4.5, 'text-anchor': 'end' }, (n * step).toFixed(step < 0.1 ? 2 : 1)));
  }
  labels.forEach((label, i) => {
    const short = label.length > 15 ? label.slice(0, 14) + '…' : label;
    const place = slanted ? { transform: `translate(${x(i) + 4} ${box.bottom + 16}) rotate(-45)`, 'text-anchor': 'end' }
      : { x: x(i), y: box.bottom + 19, 'text-anchor': 'middle' };
    const crowded = here != null && i !== here && Math.abs(i - here) < every;
    if ((i % every === 0 && !crowded) || i === here) root.append(svg('text', place, short));
  });
  root.append(svg('line', { class: 'axis', x1: box.left, x2: box.right, y1: box.bottom, y2: box.bottom }),
    svg('line', { class: 'chance', x1: box.left, x2: box.right, y1: y(0.5), y2: y(0.5) }),
    svg('text', { class: 'quiet', x: box.right, y: y(0.5) - 5, 'text-anchor': 'end' }, 'chance'));

  const radius = Math.max(2.6, Math.min(5, slot * 0.16));
  for (const s of [...series].reverse()) {
    let path = '', open = false;
    s.values.forEach((v, i) => {
      if (v != null) path += `${open ? 'L' : 'M'}${x(i).toFixed(1)} ${y(v).toFixed(1)}`;
      open = v != null;
    });
    root.append(svg('path', { d: path, fill: 'none', stroke: stroke(s.style.color), 'stroke-width': 2, 'stroke-dasharray': s.style.dash || null }));
    // Intervals of several curves stand side by side.
    const aside = (series.indexOf(s) - (series.length - 1) / 2) * Math.min(9, slot / 4);
    s.values.forEach((v, i) => {
      const ends = !dense && s.interval?.(i);
      if (ends) root.append(svg('line', { x1: x(i) + aside, x2: x(i) + aside, y1: y(ends[0]), y2: y(ends[1]), stroke: stroke(s.style.color), 'stroke-width': 1.5 }));
      if (v == null || !s.style.marker) return;
      const full = s.filled?.(i) ?? true;
      root.append(svg('path', { d: s.style.marker, transform: `translate(${x(i).toFixed(1)} ${y(v).toFixed(1)}) scale(${i === here ? radius * 1.35 : radius})`,
        fill: full ? stroke(s.style.color) : null, class: full ? null : 'hollow', stroke: stroke(s.style.color), 'stroke-width': 1.5, 'vector-effect': 'non-scaling-stroke' },
        svg('title', {}, `${labels[i]}, ${s.name}: ${number(v)}`)));
    });
  }
  if (act) listen(root, { series, labels, here, x, y, box, act });
  return root;
}

function listen(root, { series, labels, here, x, y, box, act }) {
  const at = event => {
    const edge = root.getBoundingClientRect();
    const scale = root.viewBox.baseVal.width / edge.width;
    const i = Math.floor(((event.clientX - edge.left) * scale - box.left) / (x(1) - x(0) || box.right - box.left));
    const nearest = Math.max(0, Math.min(labels.length - 1, i));
    const height = (event.clientY - edge.top) * scale;
    const far = s => s.values[nearest] == null ? Infinity : Math.abs(y(s.values[nearest]) - height);
    return [nearest, series.reduce((best, s) => far(s) < far(best) ? s : best).index];
  };
  root.addEventListener('pointermove', event => event.pointerType === 'mouse' && act.hover(...at(event)));
  root.addEventListener('pointerleave', () => act.leave());
  root.addEventListener('click', event => act.choose(...at(event)));
  root.addEventListener('keydown', event => {
    const order = series.map(s => s.index), now = order.indexOf(act.index);
    const moves = { ArrowRight: [here + 1, now], ArrowLeft: [here - 1, now], ArrowDown: [here, now + 1], ArrowUp: [here, now - 1],
      Home: [0, now], End: [labels.length - 1, now] };
    const to = moves[event.key];
    if (!to || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    const within = (value, count) => Math.max(0, Math.min(count - 1, value));
    act.choose(within(to[0], labels.length), order[within(to[1], order.length)]);
  });
}

/** A curve's sample for a legend. */
const swatch = style => svg('svg', { viewBox: '-21 -8 42 16', class: 'swatch', 'aria-hidden': 'true' },
  svg('line', { x1: -20, x2: 20, stroke: stroke(style.color), 'stroke-width': 2, 'stroke-dasharray': style.dash || null }),
  svg('path', { d: style.marker, transform: 'scale(5)', fill: stroke(style.color) }));
