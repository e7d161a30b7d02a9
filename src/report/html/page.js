(() => {
  // --- Data and state -------------------------------------------------------------------------------------------

  const json = id => JSON.parse(document.getElementById(id).textContent);
  const data = json('data'), matrices = json('matrices'), pictures = json('pictures');
  const $ = id => document.getElementById(id);
  const state = { network: 0, words: 0, layer: 0, concept: null, sort: 'accuracy', down: false, find: '' };
  const hidden = new Set();

  const network = () => data.networks[state.network];
  const layer = () => network().layers[state.layer];
  const model = () => network().models[state.words];
  const test = (words = state.words, at = state.layer) => network().models[words].tests[at];
  /** A concept's accuracy, or null. */
  const share = (t, concept) => t && t.concepts[concept] != null ? t.concepts[concept] / t.whole : null;
  const mean = values => values.length ? values.reduce((a, b) => a + b, 0) / values.length : null;
  const word = concept => data.concepts[concept].replaceAll('_', ' ');

  const p = value => value == null ? '–' : value < 0.0001 ? '< 0.0001' : value.toFixed(4);
  const range = pair => pair ? `${number(pair[0])} to ${number(pair[1])}` : null;

  function picture(concept, group = 0, className = 'picture') {
    const jpeg = pictures.jpegs[concept]?.[group];
    if (!pictures.size) return null;
    if (!jpeg) return el('div', { class: `none ${className}` });
    const alt = group == null ? '' : `${word(concept)}, group ${data.groups[group]}`;
    return el('img', { src: `data:image/jpeg;base64,${jpeg}`, alt, class: className, width: pictures.size, height: pictures.size });
  }
  const decorative = image => { image?.setAttribute('alt', ''); return image; };

  /** The address of a state, for links and for the history. */
  function address(change) {
    const next = { ...state, ...change };
    const at = data.networks[next.network];
    const parts = new URLSearchParams();
    if (next.concept != null) parts.set('concept', data.concepts[next.concept]);
    if (data.networks.length > 1) parts.set('network', at.name);
    parts.set('words', at.models[next.words].words);
    parts.set('layer', at.layers[next.layer].name);
    return `#${parts}`;
  }
  const conceptLink = concept => el('a', { href: address({ concept }) }, word(concept));

  // --- Curves ---------------------------------------------------------------------------------------------------

  const shown = () => network().models.map((m, index) => ({ ...m, index })).filter(m => !hidden.has(m.words));
  const off = words => hidden.has(network().models[words].words);
  const charts = () => [...document.querySelectorAll('#curves svg[data-network]')];

  function drawCurves() {
    for (const drawn of document.querySelectorAll('main svg[data-network]')) drawn.classList.toggle('off', drawn.dataset.network !== network().name);
    charts().filter(chart => chart.dataset.network === network().name).forEach(chart => mark(chart, state.layer, state.words, off));
    say();
  }

  function say(at = state.layer, words = state.words) {
    const t = test(words, at), l = network().layers[at];
    const name = l.label === l.name ? l.name : `${l.name} (${l.label})`;
    const facts = !t ? ['not tested'] : [`accuracy ${number(t.accuracy)}`, t.interval && `95 % interval ${range(t.interval)}`,
      t.permutations && `family-wise p ${p(t.fwer)}`, t.permutations && `null ${number(t.null[0])} ± ${number(t.null[1])}`,
      t.ceiling && `noise ceiling ${range(t.ceiling)}`].filter(Boolean);
    const text = `${name}, ${network().models[words].words}: ${facts.join('; ')}`;
    if ($('readout').textContent !== text) $('readout').replaceChildren(el('strong', {}, text.slice(0, text.indexOf(': '))), text.slice(text.indexOf(': ')));
  }

  function drawLegend() {
    const several = network().models.length > 1;
    $('legend').replaceChildren(...[
      data.networks.length > 1 && el('label', {}, 'Network ', choice(data.networks.map(n => n.title), state.network, network => go({ network, layer: 0, words: 0 }))),
      ...several ? network().models.map(m => el('label', {}, el('input', { type: 'checkbox', checked: !hidden.has(m.words), onchange: event => {
        if (event.target.checked) hidden.delete(m.words);
        else if (shown().length > 1) hidden.add(m.words);
        else event.target.checked = true;
        if (hidden.has(model().words)) return go({ words: shown()[0].index });
        drawCurves();
      } }), m.words)) : [],
    ].filter(Boolean));
  }

  const choice = (names, chosen, change) => el('select', { onchange: event => change(event.target.selectedIndex) },
    names.map((name, n) => el('option', { selected: n === chosen }, name)));

  // --- One layer ------------------------------------------------------------------------------------------------

  function drawLayer() {
    const t = test(), l = layer(), layers = network().layers;
    $('layer-title').textContent = `Layer ${l.name}`;
    const step = (by, sign, name) => el('button', { type: 'button', 'aria-label': name, disabled: !layers[state.layer + by], onclick: () => go({ layer: state.layer + by }) }, sign);
    $('choice').replaceChildren(
      el('label', {}, 'Layer ', choice(layers.map(l => l.name), state.layer, layer => go({ layer }))),
      el('span', {}, step(-1, '←', 'Layer before'), ' ', step(1, '→', 'Layer after')),
      el('label', {}, 'Words ', choice(network().models.map(m => m.words), state.words, words => go({ words }))));
    if (!t) return $('layer-body').replaceChildren(el('p', {}, 'This layer was not tested against these words.'));
    const facts = [['Accuracy', number(t.accuracy)], ['95 % interval', range(t.interval)],
      t.permutations ? ['p; family-wise; FDR q', `${p(t.p)}; ${p(t.fwer)}; ${p(t.fdr)}`] : ['p', 'no permutations'],
      ['Null', t.permutations ? `${number(t.null[0])} ± ${number(t.null[1])} s.d.` : null], ['Noise ceiling', range(t.ceiling)],
      ['Matched, mismatched sum', `${number(t.matched)}, ${number(t.mismatched)}`], !t.rsas.length && ['RSA', number(t.rsa)],
      ...t.rsas.map(([method, r, fwer]) => [`RSA (${method})`, fwer == null ? number(r) : `${number(r)}, family-wise p ${p(fwer)}`]),
      ['Ties', t.ties], ['Units', l.units ? l.units.toLocaleString('en') : null]];
    const groups = el('table', {}, el('caption', {}, `Accuracy by ${data.group}`),
      el('thead', {}, el('tr', {}, el('th', { scope: 'col' }, 'Group'), el('th', { scope: 'col' }, 'Accuracy'), el('td'))),
      el('tbody', {}, t.groups.map((value, g) => el('tr', {}, el('th', { scope: 'row' }, data.groups[g]), el('td', {}, number(value)), bar(value)))));
    const pairs = t.confused.filter(([, , , lost]) => lost > 0).slice(0, 12).map(([a, b, margin, lost]) => el('li', {}, decorative(picture(a)), decorative(picture(b)),
      el('span', {}, conceptLink(a), ' and ', conceptLink(b), el('small', {}, `margin ${number(margin)}, lost in ${lost} of ${data.groups.length}`))));
    $('layer-body').replaceChildren(...[
      el('div', { class: 'columns' },
        el('dl', { class: 'facts' }, facts.filter(f => f && f[1] != null).map(([name, value]) => [el('dt', {}, name), el('dd', {}, String(value))])),
        el('div', { class: 'wide' }, groups)),
      t.confused.length && [el('h3', {}, 'Most confused pairs'), pairs.length ? el('ul', { class: 'pairs' }, pairs)
        : el('p', { class: 'lead' }, 'None of the pairs with the lowest margins is lost in any group.')],
      heatmap()].flat().filter(Boolean));
  }

  const bar = value => el('td', { class: 'bar', 'aria-hidden': 'true' }, el('i', { style: `width:${100 * (value ?? 0)}%` }), el('b'));

  function color(share) {
    const colors = data.ramp, at = Math.max(0, Math.min(1, share)) * (colors.length - 1), below = Math.min(colors.length - 2, Math.floor(at));
    return colors[below].map((from, c) => Math.round(from + (at - below) * (colors[below + 1][c] - from)));
  }

  function heatmap() {
    const matrix = matrices[state.network]?.[state.layer];
    if (!matrix) return null;
    const bytes = atob(matrix.triangle), k = data.concepts.length;
    const groups = [...new Set(data.categories)];
    const order = data.concepts.map((_, i) => i).sort((a, b) => groups.indexOf(data.categories[a]) - groups.indexOf(data.categories[b]) || a - b);
    const byte = (a, b) => { const [i, j] = a < b ? [a, b] : [b, a]; return bytes.charCodeAt(i * k - i * (i + 1) / 2 + j - i - 1); };
    const value = (a, b) => a === b ? 1 : matrix.low + byte(a, b) / 255 * (matrix.high - matrix.low);
    const [low, high] = matrix.ends;
    const canvas = el('canvas', { width: k, height: k, tabindex: 0, role: 'application', 'aria-roledescription': 'matrix',
      'aria-label': `Similarity of ${k} concepts at ${layer().name}. Arrow keys read out the values.` });
    const context = canvas.getContext('2d'), image = context.createImageData(k, k);
    order.forEach((a, row) => order.forEach((b, column) => {
      const rgb = a === b ? [255, 255, 255] : color((value(a, b) - low) / (high - low || 1));
      image.data.set([...rgb, 255], 4 * (row * k + column));
    }));
    context.putImageData(image, 0, 0);
    const readout = el('p', { class: 'note', 'aria-live': 'polite' }, 'Point at a cell to read it.');
    const cell = [0, 0];
    const tell = () => { const [a, b] = cell.map(n => order[n]); readout.textContent = `${word(a)} and ${word(b)}: ${number(value(a, b), 2)}`; };
    const point = event => {
      const edge = canvas.getBoundingClientRect();
      [cell[0], cell[1]] = [(event.clientY - edge.top) / edge.height, (event.clientX - edge.left) / edge.width].map(v => Math.max(0, Math.min(k - 1, Math.floor(v * k))));
      tell();
    };
    canvas.addEventListener('pointermove', point);
    canvas.addEventListener('click', point);
    canvas.addEventListener('keydown', event => {
      const move = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
      if (!move) return;
      event.preventDefault();
      move.forEach((by, n) => { cell[n] = Math.max(0, Math.min(k - 1, cell[n] + by)); });
      tell();
    });
    const sorting = groups.length ? ` Concepts by category: ${groups.join(', ')}.` : '';
    // Categories are named beside their rows, moved as little as keeps lines apart; ticks stand where they begin.
    const sides = groups.map(name => ({ name, first: order.findIndex(c => data.categories[c] === name), count: data.categories.filter(c => c === name).length }));
    const pitch = Math.min(0.038, 1 / Math.max(1, sides.length)), at = sides.map(side => (side.first + side.count / 2) / k);
    for (let n = 1; n < at.length; n++) at[n] = Math.max(at[n], at[n - 1] + pitch);
    for (let n = at.length - 1, least = 1 - pitch / 2; n >= 0; least = at[n--] - pitch) at[n] = Math.min(at[n], least);
    const names = sides.map((side, n) => el('span', { style: `top:${100 * at[n]}%` }, side.name));
    const ticks = sides.slice(1).map(side => el('i', { style: `top:${100 * side.first / k}%`, 'aria-hidden': 'true' }));
    return [el('h3', {}, 'Similarity of the concepts’ images'), el('div', { class: 'rsm' }, el('div', { class: 'matrix' }, canvas, names, ticks),
      el('div', { class: 'ramp', style: `background:linear-gradient(to right, ${data.ramp.map(c => `rgb(${c})`)})` }),
      el('div', { class: 'ends' }, el('span', {}, number(low, 2)), el('span', {}, 'Pearson correlation'), el('span', {}, number(high, 2))),
      readout, el('p', { class: 'note' }, `Mean over groups; the colours span the 1st to the 99th percentile.${sorting}`))];
  }

  // --- Concepts -------------------------------------------------------------------------------------------------

  const column = {
    concept: { name: 'Concept', of: c => word(c) },
    accuracy: { name: 'At this layer', of: c => share(test(), c) },
    mean: { name: 'Mean of layers', of: c => mean(model().tests.map(t => share(t, c)).filter(v => v != null)) },
    best: { name: 'Best layer', of: c => {
      const values = model().tests.map(t => share(t, c) ?? -1);
      return values.indexOf(Math.max(...values));
    } },
  };

  function drawConcepts() {
    const note = [!pictures.size && pictures.images && (pictures.missing ? 'The images were not at hand when this page was written.' : 'The images did not fit into the page.'), pictures.size && pictures.missing && `Not read: ${counted(pictures.missing, 'image')}.`,
      pictures.altered && `Changed since the run, by SHA-256, and not drawn: ${counted(pictures.altered, 'image')}.`,
      pictures.size && pictures.groups < data.groups.length && `To keep the page small it has the images of the first ${pictures.groups} of ${data.groups.length} groups.`];
    $('concepts-lead').textContent = [`Accuracy over the pairs that a concept takes part in, at layer ${layer().name}, for ${model().words}.`, ...note].filter(Boolean).join(' ');
    const rows = data.concepts.map((_, c) => ({ c, ...Object.fromEntries(Object.entries(column).map(([key, { of }]) => [key, of(c)])) }))
      .filter(row => row.concept.toLowerCase().includes(state.find.trim().toLowerCase()));
    const by = (a, b) => typeof a === 'string' ? a.localeCompare(b, 'en') : a - b;
    rows.sort((a, b) => (state.down ? -1 : 1) * by(a[state.sort], b[state.sort]) || a.c - b.c);
    $('found').textContent = `${rows.length} of ${data.concepts.length}`;
    // Of one layer the rest says nothing more.
    const shown = Object.keys(column).slice(0, model().tests.length > 1 ? undefined : 2);
    const head = key => el('th', { scope: 'col', class: key === 'concept' ? 'name' : null, colspan: key === 'accuracy' ? 2 : null,
      'aria-sort': state.sort === key ? (state.down ? 'descending' : 'ascending') : null },
      el('button', { type: 'button', 'data-sort': key, onclick: () => {
        state.down = state.sort === key && !state.down;
        state.sort = key;
        drawConcepts();
        document.querySelector(`[data-sort="${key}"]`).focus();
      } }, column[key].name, el('span', { 'aria-hidden': 'true' }, state.sort === key ? (state.down ? ' ↓' : ' ↑') : '')));
    const scrolled = $('concepts-body').firstChild?.scrollTop;
    $('concepts-body').replaceChildren(el('div', { class: 'tall', role: 'region', tabindex: 0, 'aria-label': 'Concepts' }, el('table', {},
      el('thead', {}, el('tr', {}, pictures.size ? el('td') : null, shown.map(head))),
      el('tbody', {}, rows.map(({ c, ...row }) => el('tr', {}, pictures.size ? el('td', {}, decorative(picture(c, 0, 'small'))) : null,
        el('td', { class: 'name' }, conceptLink(c)), el('td', {}, number(row.accuracy)), bar(row.accuracy),
        shown.includes('mean') && [el('td', {}, number(row.mean)), el('td', {}, network().layers[row.best].label)]))))));
    if (scrolled) $('concepts-body').firstChild.scrollTop = scrolled;
  }

  function drawMistakes() {
    const all = network().mistakes, layers = network().layers;
    if (!$('mistakes')) return;
    const lost = all.filter(m => m.lost_from[state.words] != null).length;
    $('mistakes-lead').textContent = `${counted(all.length, 'image')} that the network took for another class, where both classes have a word. Bars up: at that layer, from ${layers[0].name} to `
      + `${layers.at(-1).name}, the activation is nearer to the true class’s word than to the predicted one’s (${model().words}). The true class is lost for good in ${lost} of them.`;
    const reach = Math.max(...all.flatMap(m => m.margins[state.words]).map(v => Math.abs(v ?? 0)), 1e-9);
    const strip = margins => svg('svg', { class: 'strip', viewBox: `0 0 ${margins.length * 8} 28`, width: margins.length * 8, height: 28, 'aria-hidden': 'true' },
      svg('line', { x1: 0, x2: margins.length * 8, y1: 14, y2: 14, class: 'axis' }), margins.map((v, i) => v == null ? null
        : svg('rect', { x: i * 8 + 1, width: 6, y: v > 0 ? 14 - 14 * v / reach : 14, height: Math.max(0.5, Math.abs(14 * v / reach)), class: v > 0 ? 'up' : 'down' },
          svg('title', {}, `${layers[i].name}: ${number(v)}`))));
    const at = m => m.lost_from[state.words];
    const rows = [...all].sort((a, b) => (at(a) ?? Infinity) - (at(b) ?? Infinity) || a.concept - b.concept || a.group - b.group);
    const head = name => el('th', { scope: 'col', class: 'name' }, name);
    $('mistakes-body').replaceChildren(el('div', { class: 'tall', role: 'region', tabindex: 0, 'aria-label': 'Misclassified images' }, el('table', {},
      el('thead', {}, el('tr', {}, pictures.size ? el('td') : null, ['True class', 'Taken for', 'Lost from', 'Margin by layer', 'Layers won'].map(head))),
      el('tbody', {}, rows.map(m => el('tr', {}, pictures.size ? el('td', {}, decorative(picture(m.concept, m.group, 'small'))) : null,
        el('td', { class: 'name' }, conceptLink(m.concept), ` (group ${data.groups[m.group]})`), el('td', { class: 'name' }, m.predicted.replaceAll('_', ' ')),
        el('td', { class: 'name' }, at(m) == null ? 'kept' : layers[at(m)].name), el('td', { class: 'name' }, strip(m.margins[state.words])),
        el('td', {}, `${m.margins[state.words].filter(v => v > 0).length} of ${layers.length}`)))))));
  }

  function drawConcept() {
    const c = state.concept, layers = network().layers, name = word(c);
    const answer = g => network().answers[c]?.[g];
    const images = data.groups.map((group, g) => g < pictures.groups && el('li', {}, picture(c, g), `group ${group}`,
      answer(g) && [el('br'), answer(g)[1] === null ? 'answered ' : answer(g)[1] ? '✓ ' : 'taken for ', answer(g)[0]])).filter(Boolean);
    const partners = new Map();
    model().tests.forEach((t, i) => t?.confused.filter(([a, b, , lost]) => lost > 0 && (a === c || b === c)).forEach(([a, b, margin]) => {
      const other = a === c ? b : a, known = partners.get(other) ?? { layers: [], margin: 0 };
      partners.set(other, { layers: [...known.layers, layers[i].label], margin: Math.min(known.margin, margin) });
    }));
    const confused = [...partners].sort((a, b) => b[1].layers.length - a[1].layers.length || a[1].margin - b[1].margin);
    const template = [...document.querySelectorAll('template')].find(template => template.dataset.network === network().name);
    const curve = template.content.firstElementChild.cloneNode(true);
    curve.setAttribute('aria-label', `Accuracy of ${name} against layer; the numbers are in the table below`);
    move(curve, (layer, words) => share(test(words, layer), c));
    const beside = by => (c + by + data.concepts.length) % data.concepts.length;
    $('concept').replaceChildren(...[
      el('p', { class: 'trail' }, el('a', { href: address({ concept: null }) }, '← All layers and concepts'),
        el('span', {}, el('a', { href: address({ concept: beside(-1) }) }, `‹ ${word(beside(-1))}`), el('a', { href: address({ concept: beside(1) }) }, `${word(beside(1))} ›`))),
      el('h2', { id: 'concept-title' }, name, data.categories[c] ? el('span', { class: 'lead' }, ` ${data.categories[c]}`) : ''),
      images.length ? el('ul', { class: 'gallery' }, images) : null,
      el('h3', {}, $('curves-title').textContent), el('div', { class: 'chart' }, curve),
      el('h3', {}, `Confused with (${model().words})`),
      confused.length ? el('ul', { class: 'pairs' }, confused.map(([other, found]) => el('li', {}, decorative(picture(other)), el('span', {}, conceptLink(other),
        el('small', {}, `at ${found.layers.join(', ')}; lowest margin ${number(found.margin)}`)))))
        : el('p', { class: 'lead' }, 'At no layer is it in a lost pair among those with the lowest margins that the results list.'),
      el('h3', {}, 'Numbers'), el('div', { class: 'wide', role: 'region', tabindex: 0, 'aria-label': 'Numbers' }, el('table', {},
        el('thead', {}, el('tr', {}, el('th', { scope: 'col' }, 'Layer'), network().models.map(m => el('th', { scope: 'col' }, m.words)))),
        el('tbody', {}, layers.map((l, i) => el('tr', {}, el('th', { scope: 'row' }, l.name), network().models.map(m => el('td', {}, number(share(m.tests[i], c))))))))),
    ].filter(Boolean));
  }

  // --- From the address to the page -----------------------------------------------------------------------------

  /** Changes the state without leaving the page. */
  function go(change) {
    Object.assign(state, change);
    history.replaceState(null, '', address({}));
    draw();
  }

  function draw() {
    const page = state.concept != null;
    for (const section of document.querySelectorAll('main > section')) section.hidden = page !== (section.id === 'concept');
    document.title = `${page ? `${word(state.concept)} – ` : ''}${network().title}: words and layers`;
    if (page) return drawConcept();
    document.querySelectorAll('[data-network]').forEach(table => table.querySelectorAll('tr[data-layer]').forEach(row =>
      row.classList.toggle('here', table.dataset.network === network().name && Number(row.dataset.layer) === state.layer)));
    drawLegend();
    drawCurves();
    drawLayer();
    drawConcepts();
    drawMistakes();
  }

  /** `#concept=…&layer=…&words=…`; any other address is a section's. */
  function follow() {
    const text = location.hash.slice(1);
    if (text && !text.includes('=')) {
      state.concept = null;
      draw();
      return document.getElementById(text)?.scrollIntoView();
    }
    const parts = new URLSearchParams(text), was = state.concept;
    const find = (list, name, otherwise) => { const at = list.indexOf(name); return at < 0 ? otherwise : at; };
    state.network = find(data.networks.map(n => n.name), parts.get('network'), state.network);
    state.words = find(network().models.map(m => m.words), parts.get('words'), state.words);
    state.layer = find(network().layers.map(l => l.name), parts.get('layer'), state.layer);
    state.concept = find(data.concepts, parts.get('concept'), null);
    draw();
    if (state.concept != null) { $('concept').focus({ preventScroll: true }); scrollTo(0, $('concept').offsetTop - 16); }
    else if (was != null) $('concepts').scrollIntoView();
  }

  function begin() {
    document.documentElement.classList.add('js');
    state.layer = network().models[0].best;
    $('find').addEventListener('input', event => { state.find = event.target.value; drawConcepts(); });
    addEventListener('hashchange', follow);
    charts().forEach(chart => listen(chart, { choose: (layer, words) => go({ layer, words }), hover: say, leave: () => say(),
      here: () => [state.layer, state.words], layers: data.networks.find(n => n.name === chart.dataset.network).layers.length, models: () => shown().map(m => m.index) }));
    follow();
  }
  begin();
})();
