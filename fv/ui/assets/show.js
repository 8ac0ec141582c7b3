// show writes values for people, and draws what is small.

export function ms(ns) {
	if (ns == null) return '–';
	const v = ns / 1e6;
	if (v < 1) return Math.round(v * 1000) + '\u00a0µs';
	if (v >= 1000) return (v / 1000).toFixed(2) + '\u00a0s';
	return (v < 10 ? v.toFixed(2) : v < 100 ? v.toFixed(1) : v.toFixed(0)) + '\u00a0ms';
}

export function share(v) {
	if (v == null) return '–';
	const p = 100 * v;
	return (p === 0 ? '0' : p < 0.1 ? '<0.1' : p < 10 ? p.toFixed(1) : p.toFixed(0)) + '\u00a0%';
}

export function rate(v) {
	if (v == null) return '–';
	return (v >= 10000 ? (v / 1000).toFixed(0) + 'k' : v >= 100 ? v.toFixed(0) : v.toFixed(1)) + '/s';
}

export function bytes(v) { return v == null ? '–' : (v / (1 << 20)).toFixed(1) + '\u00a0MiB'; }

export function cores(v) { return v == null ? '–' : v.toFixed(2); }

export function clock(ns) {
	const s = ns / 1e9, m = Math.floor(s / 60);
	return m + ':' + (s - 60 * m).toFixed(1).padStart(4, '0');
}

// claim writes what a claim says of a property: in seconds, bits a second or as a share.
export function claimed(property, v) {
	if (property === 'delay' || property === 'jitter') return ms(v * 1e9);
	if (property === 'rate') return +(v / 1e6).toPrecision(3) + '\u00a0Mbit/s';
	return share(v);
}

// element makes an element with attributes and children; a function is what is called for an event of that name.
export function element(name, attributes = {}, ...children) {
	const el = document.createElement(name);
	for (const [k, v] of Object.entries(attributes)) {
		if (typeof v === 'function') el.addEventListener(k, v);
		else if (v === true) el.setAttribute(k, '');
		else if (v !== false && v != null) el.setAttribute(k, v);
	}
	el.append(...children.filter(c => c != null));
	return el;
}

export function svg(name, attributes = {}, ...children) {
	const el = document.createElementNS('http://www.w3.org/2000/svg', name);
	for (const [k, v] of Object.entries(attributes)) if (v != null) el.setAttribute(k, v);
	el.append(...children);
	return el;
}

// spark draws values, the last one at the right; null is a gap. The scale begins at 0.
export function spark(values, width, height, fill) {
	const max = Math.max(0, ...values.filter(v => v != null)) || 1;
	let d = '', pen = false;
	values.forEach((v, i) => {
		if (v == null) { pen = false; return; }
		const x = width * (i + 1 - values.length) / Math.max(values.length - 1, 1) + width;
		d += (pen ? 'L' : 'M') + x.toFixed(1) + ' ' + (height - 1.5 - (height - 3) * v / max).toFixed(1);
		pen = true;
	});
	return svg('svg', {class: 'spark', width, height, viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: fill ? 'none' : null, 'aria-hidden': 'true'}, svg('path', {d}));
}

// colour is a class for how a link looks: what is seen of it in words is always beside it.
export function grade(mode, link) {
	if (mode === 'verdict') return 'v-' + link.verdict;
	if (!link.standing && !link.n && mode !== 'loss') return 'g-none';
	const steps = {
		rate: [link.rate, [1, 10, 100, 1000]],
		loss: [link.loss, [0.0001, 0.01, 0.05, 0.2]],
		latency: [link.n ? link.p50 / 1e6 : null, [1, 10, 50, 200]],
	}[mode];
	if (steps[0] == null) return 'g-none';
	return (mode === 'rate' ? 'r-' : 'g-') + steps[1].filter(s => steps[0] >= s).length;
}

export const legends = {
	verdict: [['v-passes', 'passes, as it must'], ['v-dropped', 'dropped, as it must be'], ['v-wrong', 'unlike the policies'], ['v-unsure', 'unsure']],
	rate: [['r-0', 'under 1/s'], ['r-1', '1'], ['r-2', '10'], ['r-3', '100'], ['r-4', '1000 and more'], ['g-none', 'no answers']],
	loss: [['g-0', 'none'], ['g-1', 'under 1 %'], ['g-2', '1 %'], ['g-3', '5 %'], ['g-4', '20 % and more']],
	latency: [['g-0', 'under 1 ms'], ['g-1', '1 ms'], ['g-2', '10 ms'], ['g-3', '50 ms'], ['g-4', '200 ms and more'], ['g-none', 'no answers']],
};
