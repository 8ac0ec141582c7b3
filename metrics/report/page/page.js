(function () {
'use strict';
const data = JSON.parse(document.getElementById('data').textContent);
const root = document.documentElement;
const broken = new Set(data.gaps);
const settled = new Set(data.settled);
// The steps of an axis of times, in seconds.
const times = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400];
const laneHeight = 22, rowHeight = 84, axisWidth = 62, topAxis = 24;

// style is a colour of the page, which changes with the reader's preference.
const style = name => getComputedStyle(root).getPropertyValue('--' + name).trim();

const prefixes = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

// show writes a value for people.
function show(unit, v) {
	if (v == null) return '–';
	if (unit === 'bytes') {
		let i = 0;
		while (Math.abs(v) >= 1024 && i < prefixes.length - 1) { v /= 1024; i++; }
		return (i ? v.toFixed(Math.abs(v) < 100 ? 1 : 0) : v.toFixed(0)) + '\u00a0' + prefixes[i];
	}
	if (unit === 'cores') return v.toFixed(2);
	const text = Number.isInteger(v) ? v.toLocaleString('en-US') : String(+v.toPrecision(4));
	return unit === 'seconds' ? text + '\u00a0s' : text;
}

// clock writes a time since the run began.
function clock(s, digits) {
	const sign = s < 0 ? '−' : '';
	s = Math.abs(s);
	const m = Math.floor(s / 60);
	const rest = (s - 60 * m).toFixed(digits);
	return sign + m + ':' + (rest < 10 ? '0' : '') + rest;
}

// slice returns what of a series lies within a time: its x and its y, where undefined is passed over and null breaks the line.
function slice(series, from, to) {
	const xs = [], ys = [], at = [];
	let n = 0, min = Infinity, max = -Infinity, last = null;
	for (let i = 0; i < data.times.length; i++) {
		const t = data.times[i];
		if (t < from || t > to) continue;
		let v = series.values[i];
		if (v === null) v = broken.has(i) ? null : undefined;
		else { n++; min = Math.min(min, v); max = Math.max(max, v); last = v; }
		xs.push(t); ys.push(v); at.push(i);
	}
	return {xs, ys, at, n, min, max, last};
}

// nearest returns the value of a point or, where a gauge is read more seldom than others, that of the nearest; null where it could not be read.
function nearest(ys, i) {
	if (ys[i] !== undefined) return ys[i];
	for (let d = 1; d < ys.length; d++) {
		if (ys[i - d] != null) return ys[i - d];
		if (ys[i + d] != null) return ys[i + d];
	}
	return null;
}

// sort returns the series that have values in the time of a timeline: those that change and those that don't.
function sort(t) {
	const moving = [], still = [];
	for (const s of data.series) {
		const cut = slice(s, t.from, t.to);
		if (cut.n > 0) (cut.min === cut.max && cut.n > 1 ? still : moving).push([s, cut]);
	}
	return {moving, still};
}

const measuredHeight = m => Math.max(rowHeight, 20 * (m.lines.length + 1));

const timelines = new Map();
let keys = 0;

class Timeline {
	constructor(el, t) {
		this.el = el; this.t = t; this.plots = []; this.key = 'timeline' + keys++;
		this.view = {from: t.from, to: Math.max(t.to, t.from + 0.001)};
		el.setAttribute('role', 'group');
		el.setAttribute('aria-label', 'Timeline. Arrow keys move the cross-hair, plus and minus zoom, 0 shows all.');
		el.tabIndex = 0;
		this.tools();
		this.lanes();
		if (t.rates.values.some(v => v > 0)) this.rates();
		const {moving, still} = sort(t);
		for (const m of t.measured || []) this.measured(m);
		for (const [s, cut] of moving) this.series(this.el, s, cut, rowHeight);
		if (still.length) this.still(still);
		el.addEventListener('keydown', e => this.key_(e));
		new ResizeObserver(() => this.resize()).observe(el);
	}

	tools() {
		const bar = this.el.appendChild(document.createElement('div'));
		bar.className = 'tools';
		this.out = bar.appendChild(document.createElement('output'));
		this.out.setAttribute('aria-live', 'polite');
		for (const [text, label, act] of [['+', 'zoom in', () => this.scale(0.5)], ['−', 'zoom out', () => this.scale(2)], ['all', 'show all', () => this.reset()]]) {
			const b = bar.appendChild(document.createElement('button'));
			b.type = 'button'; b.textContent = text; b.title = label;
			b.setAttribute('aria-label', label);
			b.addEventListener('click', act);
		}
		this.quiet();
	}

	// row makes the cell with the words and the one with the plot.
	row(parent, kind) {
		const line = parent.appendChild(document.createElement('div'));
		line.className = 'line ' + kind;
		const tag = line.appendChild(document.createElement('div'));
		tag.className = 'tag';
		const plot = line.appendChild(document.createElement('div'));
		plot.className = 'plot';
		return {tag, plot};
	}

	lanes() {
		const {tag, plot} = this.row(this.el, 'lanes');
		tag.style.paddingTop = topAxis + 'px';
		for (const lane of this.t.lanes) tag.appendChild(document.createElement('span')).textContent = lane.name;
		this.top = this.plot(plot, 'lanes', [[this.t.from, this.t.to], [null, null]], {
			height: topAxis + laneHeight * this.t.lanes.length + 4,
			axes: [this.axis(0, topAxis, true), {show: true, size: axisWidth, ticks: {show: false}, grid: {show: false}, values: () => []}],
			series: [{}, {paths: () => null, points: {show: false}}],
			hooks: {draw: [u => this.drawLanes(u)], setCursor: [u => this.tell(u)]},
		});
	}

	rates() {
		const {from, rates} = this.t;
		const xs = rates.values.map((_, i) => from + i * rates.width), ys = rates.values.slice();
		xs.push(from + ys.length * rates.width); ys.push(ys[ys.length - 1]);
		const max = Math.max(...rates.values);
		this.value(this.el, {title: 'changes a second', name: 'changes', unit: ''}, [xs, ys], rowHeight, 'at most ' + show('', +max.toPrecision(3)), null, {
			paths: uPlot.paths.stepped({align: 1}), fill: () => style('fill'), points: {show: false},
		});
	}

	// measured draws all lines of what was measured under one name, over the same times.
	measured(m) {
		const {tag, plot} = this.row(this.el, 'value measured');
		tag.append(m.title);
		const at = [...new Set(m.lines.flatMap(l => l.times))].sort((a, b) => a - b), index = new Map(at.map((t, i) => [t, i]));
		const list = tag.appendChild(document.createElement('ul'));
		const now = [], columns = [], series = [{}];
		m.lines.forEach((l, k) => {
			const item = list.appendChild(document.createElement('li')), colour = () => style('line-' + k);
			item.style.setProperty('--line', 'var(--line-' + k + ')');
			item.append(l.name || m.title);
			now.push(item.appendChild(document.createElement('b')));
			const ys = new Array(at.length);
			l.times.forEach((t, i) => { ys[index.get(t)] = l.values[i]; });
			columns.push(ys);
			series.push({
				stroke: colour, width: 1.5, spanGaps: true, paths: l.apart ? () => null : undefined,
				points: {show: l.apart || l.times.length < 60, size: 5, width: 1, stroke: colour, fill: colour},
			});
		});
		if (m.more) list.appendChild(document.createElement('li')).textContent = 'and ' + m.more + ' more, in the table';
		const u = this.plot(plot, 'measured ' + m.title, [at, ...columns], {
			height: measuredHeight(m), series,
			axes: [this.axis(2, 2, false), this.valueAxis('')],
			hooks: {
				drawClear: [v => this.drawMarks(v)],
				setCursor: [v => { const i = v.cursor.idx; columns.forEach((ys, k) => { now[k].textContent = i == null || v.cursor.left < 0 ? '' : show('', nearest(ys, i)); }); }],
			},
		});
		u.over.setAttribute('aria-hidden', 'true');
	}

	series(parent, s, cut, height) {
		this.value(parent, s, [cut.xs, cut.ys], height, show(s.unit, cut.min) + ' to ' + show(s.unit, cut.max), cut, {});
	}

	// value adds a plot of one series, whose value under the cross-hair stands beside it.
	value(parent, s, xy, height, range, cut, more) {
		const {tag, plot} = this.row(parent, 'value');
		tag.append(s.title);
		const now = tag.appendChild(document.createElement('b'));
		tag.appendChild(document.createElement('small')).textContent = range;
		const idle = cut ? show(s.unit, cut.last) : '\u00a0';
		now.textContent = idle;
		const u = this.plot(plot, s.name, xy, {
			height,
			axes: [this.axis(2, 2, false), this.valueAxis(s.unit)],
			series: [{}, Object.assign({
				stroke: () => style('series'), width: 1.5, spanGaps: false,
				points: {size: 4, width: 1, stroke: () => style('series'), fill: () => style('series')},
			}, more)],
			hooks: {
				drawClear: [v => this.drawMarks(v)],
				draw: [v => cut && this.drawSettled(v, cut)],
				setCursor: [v => { const i = v.cursor.idx; now.textContent = i == null || v.cursor.left < 0 ? idle : show(s.unit, nearest(xy[1], i)); }],
			},
		});
		u.over.setAttribute('aria-hidden', 'true');
	}

	valueAxis(unit) {
		return {
			size: axisWidth, space: 20, stroke: () => style('muted'), font: '11px system-ui, sans-serif', gap: 6,
			grid: {stroke: () => style('grid'), width: 1}, ticks: {show: false},
			incrs: unit === 'bytes' ? Array.from({length: 45}, (_, i) => 2 ** i) : undefined,
			values: (_, vs) => vs.map(v => show(unit, v)),
		};
	}

	// still folds away what did not change.
	still(list) {
		const box = this.el.appendChild(document.createElement('details'));
		const head = box.appendChild(document.createElement('summary'));
		head.textContent = 'Did not change: ' + list.map(([s, cut]) => s.title + ' ' + show(s.unit, cut.last)).join(', ');
		box.addEventListener('toggle', () => {
			if (box.open && box.childElementCount === 1) for (const [s, cut] of list) this.series(box, s, cut, 56);
		});
	}

	// axis is one of times; without numbers it gives the grid alone, so that all plots have the same lines.
	axis(side, size, numbers) {
		return {
			side, size, scale: 'x', incrs: times, stroke: () => style('muted'), font: '11px system-ui, sans-serif', gap: 4, space: 70,
			grid: {stroke: () => style('grid'), width: 1}, ticks: {show: false},
			values: (u, vs) => { if (!numbers) return []; const d = vs.length > 1 && vs[1] - vs[0] < 1 ? (vs[1] - vs[0] < 0.1 ? 2 : 1) : 0; return vs.map(v => clock(v, d)); },
		};
	}

	plot(el, name, xy, options) {
		const u = new uPlot(Object.assign({
			width: Math.max(el.clientWidth, 120), legend: {show: false}, padding: [4, 8, 4, 0],
			scales: {
				x: {time: false, range: () => [this.view.from, this.view.to]},
				y: {range: (_, min, max) => this.range(min, max)},
			},
			cursor: {
				y: false, points: {size: 6}, drag: {x: true, y: false, setScale: false},
				sync: {key: this.key, filters: {pub: type => type !== 'mousedown' && type !== 'mouseup'}},
				bind: {dblclick: () => () => { this.reset(); return null; }},
			},
		}, options), xy, el);
		u.name = name;
		u.hooks.setSelect = (u.hooks.setSelect || []).concat(v => {
			if (v.select.width < 4) return;
			const from = v.posToVal(v.select.left, 'x'), to = v.posToVal(v.select.left + v.select.width, 'x');
			v.setSelect({left: 0, width: 0, top: 0, height: 0}, false);
			this.zoom(from, to);
		});
		this.plots.push(u);
		return u;
	}

	range(min, max) {
		if (min == null || !isFinite(min)) return [0, 1];
		if (min >= 0 && min < 0.4 * max) min = 0;
		const pad = (max - min > 1e-6 * Math.abs(max) ? max - min : Math.abs(max) || 1) * 0.12;
		return [min === 0 ? 0 : min - pad, max + pad];
	}

	drawLanes(u) {
		const {ctx, bbox} = u, px = devicePixelRatio;
		ctx.save();
		ctx.beginPath(); ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height); ctx.clip();
		ctx.font = 11 * px + 'px system-ui, sans-serif'; ctx.textBaseline = 'middle'; ctx.textAlign = 'left';
		this.t.lanes.forEach((lane, i) => {
			const y = bbox.top + i * laneHeight * px, h = (laneHeight - 4) * px;
			lane.bars.forEach((bar, j) => {
				const x0 = u.valToPos(bar[0], 'x', true), w = Math.max(u.valToPos(bar[1], 'x', true) - x0, 2 * px);
				if (x0 + w < bbox.left || x0 > bbox.left + bbox.width) return;
				ctx.fillStyle = style(bar[2] === 'step' && j % 2 ? 'step-other' : bar[2]);
				ctx.globalAlpha = bar[4] && bar[2] !== 'step' ? 0.3 : 1;
				ctx.fillRect(x0, y + 2 * px, Math.max(w - (w > 4 * px ? px : 0), 1), h);
				ctx.globalAlpha = 1;
				const left = Math.max(x0, bbox.left) + 5 * px, room = x0 + w - left - 4 * px;
				if (!bar[4] || room < 24 * px) return;
				let text = bar[3];
				while (text.length > 1 && ctx.measureText(text).width > room) text = text.slice(0, -2) + '…';
				ctx.fillStyle = style(bar[2] === 'step' ? 'on-step' : 'fg');
				if (text.length > 2) ctx.fillText(text, left, y + 2 * px + h / 2);
			});
		});
		ctx.restore();
	}

	// drawMarks draws what concerns all plots behind the line: times of failure, deaths, scrapes that failed.
	drawMarks(u) {
		const {ctx, bbox} = u, px = devicePixelRatio;
		ctx.save();
		ctx.beginPath(); ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height); ctx.clip();
		for (const [from, to, kind] of this.t.marks) {
			const x0 = u.valToPos(from, 'x', true), x1 = u.valToPos(to, 'x', true);
			if (x1 - x0 > 2 * px) { ctx.fillStyle = style({gap: 'gap', excused: 'shade-excused'}[kind] || 'shade'); ctx.fillRect(x0, bbox.top, x1 - x0, bbox.height); continue; }
			ctx.fillStyle = style(kind);
			ctx.fillRect(x0 - px / 2, bbox.top, px, bbox.height);
		}
		ctx.restore();
	}

	drawSettled(u, cut) {
		const {ctx} = u, px = devicePixelRatio;
		ctx.save();
		ctx.fillStyle = style('settled');
		cut.at.forEach((point, i) => {
			if (!settled.has(point) || cut.ys[i] == null || cut.xs[i] < this.view.from || cut.xs[i] > this.view.to) return;
			ctx.beginPath();
			ctx.arc(u.valToPos(cut.xs[i], 'x', true), u.valToPos(cut.ys[i], 'y', true), 3.5 * px, 0, 7);
			ctx.fill();
		});
		ctx.restore();
	}

	// tell says in words what the cross-hair is on.
	tell(u) {
		if (u.cursor.left == null || u.cursor.left < 0) return this.quiet();
		const t = u.posToVal(u.cursor.left, 'x'), near = 3 * (this.view.to - this.view.from) / Math.max(u.over.clientWidth, 1);
		const told = [];
		for (const lane of this.t.lanes) {
			for (const bar of lane.bars) if (t >= bar[0] - near && t <= bar[1] + near && told.length < 6) told.push(bar[3]);
		}
		const words = {gap: 'not read: ', excused: 'excused: '};
		for (const bar of this.t.marks) if (words[bar[2]] && t >= bar[0] - near && t <= bar[1] + near && told.length < 9) told.push(words[bar[2]] + bar[3]);
		this.now = t;
		this.out.replaceChildren();
		const b = this.out.appendChild(document.createElement('b'));
		b.textContent = clock(t, 2);
		this.out.append(' (' + new Date(data.began + 1000 * t).toISOString().slice(11, 21) + ' UTC) ' + told.join(' · '));
	}

	quiet() {
		this.now = null;
		this.out.textContent = clock(this.view.from, 1) + ' to ' + clock(this.view.to, 1) + ' since the run began at ' + new Date(data.began).toISOString().slice(0, 19).replace('T', ' ') + ' UTC';
	}

	zoom(from, to) {
		const least = 0.01, {t} = this;
		if (to - from < least) { const mid = (from + to) / 2; from = mid - least / 2; to = mid + least / 2; }
		this.view = {from: Math.max(from, t.from), to: Math.min(to, Math.max(t.to, t.from + 0.001))};
		for (const u of this.plots) u.setScale('x', {min: this.view.from, max: this.view.to});
		if (this.now == null) this.quiet();
	}

	scale(by) {
		const {from, to} = this.view, mid = this.now != null && this.now >= from && this.now <= to ? this.now : (from + to) / 2;
		this.zoom(mid - (mid - from) * by, mid + (to - mid) * by);
	}

	reset() { this.zoom(-Infinity, Infinity); }

	// point moves the cross-hair.
	point(t) {
		if (t < this.view.from || t > this.view.to) {
			const half = (this.view.to - this.view.from) / 2;
			this.zoom(t - half, t + half);
		}
		for (const u of this.plots) u.setCursor({left: u.valToPos(t, 'x'), top: 1}, true, false);
	}

	key_(e) {
		if (e.target !== this.el || e.ctrlKey || e.metaKey || e.altKey) return;
		const step = (this.view.to - this.view.from) / 100 * (e.key === 'ArrowLeft' ? -1 : 1), {from, to} = this.t;
		switch (e.key) {
		case 'ArrowLeft': case 'ArrowRight': this.point(Math.min(Math.max(this.now == null ? (this.view.from + this.view.to) / 2 : this.now + step, from), to)); break;
		case '+': case '=': this.scale(0.5); break;
		case '-': this.scale(2); break;
		case '0': this.reset(); break;
		default: return;
		}
		e.preventDefault();
	}

	resize(width) {
		for (const u of this.plots) {
			const w = width || u.root.parentElement.clientWidth;
			if (w > 0 && w !== u.width) u.setSize({width: w, height: u.height});
		}
	}

	redraw() { for (const u of this.plots) u.redraw(false, true); }
}

// open draws a timeline once there is room for it.
function open(el) {
	if (timelines.has(el)) return;
	timelines.set(el, new Timeline(el, data.timelines[el.dataset.timeline]));
	el.style.minHeight = '';
}

const soon = new IntersectionObserver(list => {
	for (const e of list) if (e.isIntersecting) { soon.unobserve(e.target); open(e.target); }
}, {rootMargin: '600px'});
for (const el of document.querySelectorAll('.timeline')) {
	const t = data.timelines[el.dataset.timeline];
	el.replaceChildren();
	el.style.minHeight = 150 + laneHeight * t.lanes.length + (rowHeight + 1) * sort(t).moving.length + (t.measured || []).reduce((h, m) => h + measuredHeight(m), 0) + 'px'; // so that drawing moves nothing
	soon.observe(el);
}

// A link to what is folded unfolds it.
function unfold() {
	const el = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
	if (el && el.tagName === 'DETAILS') { el.open = true; el.scrollIntoView(); }
}
addEventListener('hashchange', unfold);
unfold();

for (const b of document.querySelectorAll('.copy')) {
	b.addEventListener('click', async () => {
		const code = b.previousElementSibling;
		try { await navigator.clipboard.writeText(code.textContent); b.textContent = 'copied'; } catch {
			getSelection().selectAllChildren(code); b.textContent = 'selected';
		}
		setTimeout(() => { b.textContent = 'copy'; }, 1500);
	});
}

const redraw = () => { for (const t of timelines.values()) t.redraw(); };
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', redraw);
addEventListener('beforeprint', () => {
	for (const el of document.querySelectorAll('.timeline')) if (el.offsetParent) open(el);
	root.dataset.light = ''; for (const t of timelines.values()) t.resize(520);
	redraw();
});
addEventListener('afterprint', () => { delete root.dataset.light; for (const t of timelines.values()) t.resize(); redraw(); });

// What tests ask of the page.
window.report = {data, timelines, open};
})();
