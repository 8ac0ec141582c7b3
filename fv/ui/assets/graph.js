// graph draws the cluster as SVG: boxes for nodes, rings for namespaces, a circle for each workload and a line for each link. What stays
// where it was is not drawn anew.
import {layout} from './layout.js';
import {svg, grade, ms, share, rate, legends, element} from './show.js';

const most = 24; // strands that a chosen link is unfolded into

export class Graph {
	constructor(app, host) {
		this.app = app; this.host = host;
		this.root = svg('svg', {class: 'graph', 'aria-hidden': 'true', preserveAspectRatio: 'xMidYMid meet'});
		this.root.append(svg('defs', {}, arrow()));
		this.layers = Object.fromEntries(['boxes', 'lines', 'pods', 'front'].map(n => [n, this.root.appendChild(svg('g', {class: n}))]));
		host.append(this.root);
		this.shape = ''; this.lines = new Map(); this.circles = new Map();
		host.addEventListener('keydown', e => this.key(e));
		host.addEventListener('keyup', e => { // at its end, so that it does not press what it leads to
			if (e.key === 'Enter' && e.target === host && app.choice.link) document.querySelector('#selection button')?.focus();
		});
		this.root.addEventListener('click', e => this.click(e));
		this.root.addEventListener('pointerover', e => this.hover(e.target));
		this.root.addEventListener('pointerleave', () => this.hover(null));
		this.root.addEventListener('pointermove', e => app.tip.move(e));
		new ResizeObserver(() => { this.shape = ''; if (app.state) this.draw(); }).observe(host);
	}

	draw() {
		const state = this.app.state, {clientWidth: w, clientHeight: h} = this.host;
		if (!w || !h) return;
		const shape = JSON.stringify([w, h, state.pods.filter(p => !p.churned).map(p => [p.name, p.node])]);
		if (shape !== this.shape) { this.shape = shape; this.stage(state, w, h); }
		this.titles(state);
		this.links(state);
		this.choose();
	}

	// titles say of each node how many workloads come and go on it.
	titles(state) {
		const churned = new Map();
		for (const p of state.pods) if (p.churned) churned.set(p.node, (churned.get(p.node) || 0) + 1);
		this.plan.boxes.forEach((b, i) => {
			const n = churned.get(b.node.name), words = b.title + (n ? ` · ${n} come and go` : ''), el = this.names[i];
			if (el.textContent !== words) el.textContent = words;
		});
	}

	stage(state, w, h) {
		const m = 8, plan = this.plan = layout(state, w - 2 * m, h - 2 * m);
		let width = plan.width + 2 * m, height = plan.height + 2 * m;
		const enlarged = Math.min(w / width, h / height);
		if (enlarged > 1.3) { width *= enlarged / 1.3; height *= enlarged / 1.3; } // few workloads need not fill it all
		this.root.setAttribute('viewBox', `${-m - (width - plan.width - 2 * m) / 2} ${-m - (height - plan.height - 2 * m) / 2} ${width} ${height}`);
		this.root.style.setProperty('--text', plan.text);
		this.layers.boxes.replaceChildren(...plan.boxes.flatMap(b => [
			svg('rect', {class: 'node' + (b.node.local ? ' local' : ''), x: b.x, y: b.y, width: b.width, height: b.height, rx: 10}),
			text('nodename', b.x + 12, b.y + 4 + 14 * plan.text, ''),
		]), ...plan.rings.flatMap(r => [
			svg('rect', {class: 'ns', x: r.x, y: r.y, width: r.width, height: r.height, rx: 8}),
			text('nsname', r.x + 8, r.y + 3 + 11.5 * plan.text, r.name),
			svg('circle', {class: 'ring', cx: r.cx, cy: r.cy, r: r.radius}),
		]));
		this.names = [...this.layers.boxes.querySelectorAll('.nodename')];
		this.circles.clear();
		this.layers.pods.replaceChildren(...[...plan.pods.values()].map(p => this.circle(p)));
		this.lines.clear(); this.layers.lines.replaceChildren();
	}

	circle(p) {
		const right = Math.cos(p.angle) > 0.35, left = Math.cos(p.angle) < -0.35;
		const short = p.pod.name.split('/')[1];
		const alone = p.ring.pods.length === 1;
		const lx = alone ? p.x : p.x + (p.size + 5) * Math.cos(p.angle), ly = alone ? p.y + p.size + 13 : p.y + (p.size + 9) * Math.sin(p.angle) + 4;
		const label = text('podname' + (p.named ? '' : ' unnamed'), lx, ly, short);
		label.setAttribute('text-anchor', alone ? 'middle' : right ? 'start' : left ? 'end' : 'middle');
		const g = svg('g', {class: `pod role-${p.pod.labels.role || 'other'}` + (p.pod.churned ? ' churned' : ''), 'data-pod': p.pod.name},
			svg('circle', {class: 'target', cx: p.x, cy: p.y, r: p.size + 6}), svg('circle', {cx: p.x, cy: p.y, r: p.size}), label);
		this.circles.set(p.pod.name, g);
		return g;
	}

	// path leads from one workload to another: within a ring through it, else out of its ring and into the other from outside.
	path(link, bend = 0) {
		const a = this.plan.pods.get(link.from), b = this.plan.pods.get(link.to);
		if (!a || !b) return null;
		const dx = b.x - a.x, dy = b.y - a.y, d = Math.hypot(dx, dy) || 1;
		let c;
		if (a.ring === b.ring) {
			const pull = 0.22; // towards the middle of the ring
			c = [[(a.x + b.x) / 2 * (1 - pull) + a.ring.cx * pull, (a.y + b.y) / 2 * (1 - pull) + a.ring.cy * pull]];
			c = [c[0], c[0]];
		} else {
			const leave = (p, q) => { // outwards, so that it does not pass under others of the ring
				const out = p.ring.pods.length > 1 ? Math.min(d * 0.22, 70) : 0;
				return [p.x + out * Math.cos(p.angle) + (q.x - p.x) * 0.25, p.y + out * Math.sin(p.angle) + (q.y - p.y) * 0.25];
			};
			c = [leave(a, b), leave(b, a)];
		}
		c = c.map(([x, y]) => [x - bend * dy / d, y + bend * dx / d]);
		const from = edge(a, c[0], 1), to = edge(b, c[1], 4);
		return `M${from}C${c.map(p => p.map(n => n.toFixed(1)).join(' ')).join(' ')} ${to}`;
	}

	links(state) {
		const seen = new Set();
		const twins = new Set(state.links.map(l => l.from + '>' + l.to));
		for (const l of state.links) {
			seen.add(l.key);
			let g = this.lines.get(l.key);
			if (!g) {
				const bend = (twins.has(l.to + '>' + l.from) ? 7 : 0) + (l.protocol === 'udp' ? 5 : l.protocol === 'http' ? -5 : 0);
				const d = this.path(l, bend);
				if (!d) continue;
				g = svg('g', {'data-link': l.key}, svg('path', {class: 'target', d}), svg('path', {class: 'line', d, 'marker-end': 'url(#arrow)'}));
				const path = g.lastChild;
				this.layers.lines.append(g);
				const length = path.getTotalLength(), at = path.getPointAtLength(length / 2);
				g.append(svg('path', {class: 'mark', d: `M${at.x - 6} ${at.y}l3 -5 6 10 3 -5`}));
				this.lines.set(l.key, g);
			}
			const name = 'link ' + grade(this.app.colour, l) + (this.app.isImpaired(l) ? ' impaired' : '') + (l.standing ? '' : ' down');
			if (g.getAttribute('data-base') !== name) g.setAttribute('data-base', name);
		}
		for (const [key, g] of this.lines) if (!seen.has(key)) { g.remove(); this.lines.delete(key); }
		this.root.classList.toggle('many', state.links.length > 80);
		this.strands(state);
	}

	// strands unfolds the chosen link into its connections.
	strands(state) {
		const chosen = this.app.chosenLink(), of = chosen ? this.app.connectionsOf(chosen) : [];
		const front = this.layers.front;
		if (of.length < 2 || of.length > most) { front.replaceChildren(); this.unfolded = ''; return; }
		const key = chosen.key + of.length + this.shape;
		if (key !== this.unfolded) {
			this.unfolded = key;
			const apart = Math.min(9, 90 / of.length);
			front.replaceChildren(...of.map((c, i) => {
				const d = this.path(chosen, (i - (of.length - 1) / 2) * apart);
				return svg('g', {'data-strand': c.id}, svg('path', {class: 'target', d}), svg('path', {class: 'line', d}));
			}));
		}
		of.forEach((c, i) => {
			const mode = this.app.colour === 'verdict' ? 'latency' : this.app.colour;
			const g = front.children[i];
			g.setAttribute('data-strand', c.id);
			g.setAttribute('class', 'link strand ' + grade(mode, {...c, standing: c.stands ? 1 : 0}) + (c.impairment ? ' impaired' : '') + (this.app.choice.connection === c.id ? ' chosen' : ''));
		});
	}

	// choose lets what is chosen or found stand out.
	choose() {
		const unfolded = this.layers.front.childElementCount > 0;
		const {choice, found} = this.app, over = this.over;
		const about = new Set();
		let some = Boolean(found || choice.link || choice.pod || over);
		for (const l of this.app.state.links) {
			const g = this.lines.get(l.key);
			if (!g) continue;
			const on = l.key === choice.link || (choice.pod && (l.from === choice.pod || l.to === choice.pod)) || l.key === over || l.from === over || l.to === over ||
				(found && (found.has(l.from) || found.has(l.to)));
			if (on) { about.add(l.from); about.add(l.to); }
			g.setAttribute('class', g.getAttribute('data-base') + (on ? ' on' : '') + (l.key === choice.link ? ' chosen' : ''));
		}
		if (choice.pod) about.add(choice.pod);
		if (over) about.add(over);
		if (found) found.forEach(p => about.add(p));
		for (const [name, g] of this.circles) {
			g.classList.toggle('on', about.has(name));
			g.classList.toggle('chosen', name === choice.pod);
		}
		this.root.classList.toggle('some', some);
		this.root.classList.toggle('unfolded', unfolded);
		this.app.explain(unfolded && this.app.colour === 'verdict' ? 'latency' : this.app.colour, unfolded);
	}

	click(e) {
		const strand = e.target.closest('[data-strand]'), link = e.target.closest('[data-link]'), pod = e.target.closest('[data-pod]');
		if (strand) this.app.choose({link: this.app.choice.link, connection: strand.dataset.strand});
		else if (pod) this.app.choose({pod: pod.dataset.pod});
		else if (link) this.app.choose({link: link.dataset.link});
		else this.app.choose({});
	}

	hover(target) {
		const at = target && target.closest('[data-link],[data-pod],[data-strand]');
		const over = at ? at.dataset.link || at.dataset.pod || null : null;
		if (over !== this.over) { this.over = over; if (this.app.state) this.choose(); }
		this.app.tip.show(at ? this.words(at) : '');
	}

	words(at) {
		if (at.dataset.strand) {
			const c = this.app.state.connections.find(c => c.id === at.dataset.strand);
			return c ? `${c.id}  ${c.local} → ${c.remote}\nP50 ${ms(c.n ? c.p50 : null)}, loss ${share(c.loss)}` + (c.impairment ? '\nimpaired' : '') : '';
		}
		if (at.dataset.link) {
			const l = this.app.link(at.dataset.link);
			return l ? `${l.from} → ${l.to}  ${l.protocol}, ${l.connections} connection${l.connections === 1 ? '' : 's'}\n${l.verdict} · ${rate(l.rate)} · loss ${share(l.loss)} · P50 ${ms(l.n ? l.p50 : null)}` : '';
		}
		const p = this.app.state.pods.find(p => p.name === at.dataset.pod);
		return p ? `${p.name}\n${p.ips.join(', ')}\n${Object.entries(p.labels).map(([k, v]) => k + '=' + v).join(' ')}` : '';
	}

	key(e) {
		if (e.ctrlKey || e.metaKey || e.altKey) return;
		const {app} = this, links = app.state ? app.sortedLinks() : [];
		const step = {ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1}[e.key];
		if (step && links.length) {
			const at = links.findIndex(l => l.key === app.choice.link);
			app.choose({link: links[(at + step + links.length) % links.length].key}, true);
		} else if (e.key === 'Home' && links.length) app.choose({link: links[0].key}, true);
		else if (e.key === 'End' && links.length) app.choose({link: links[links.length - 1].key}, true);
		else if ((e.key === 'i' || e.key === 'I') && app.choice.link) app.impairChoice();
		else if (e.key === 'Escape') app.choose({});
		else return;
		e.preventDefault();
	}
}

// edge is the point of a workload's circle towards another point, so far outside of it.
function edge(place, [x, y], outside) {
	const dx = x - place.x, dy = y - place.y, d = Math.hypot(dx, dy) || 1, r = place.size + outside;
	return `${(place.x + dx / d * r).toFixed(1)} ${(place.y + dy / d * r).toFixed(1)}`;
}

function text(name, x, y, words) {
	const el = svg('text', {class: name, x, y});
	el.textContent = words;
	return el;
}

function arrow() {
	return svg('marker', {id: 'arrow', viewBox: '0 0 8 8', refX: 6, refY: 4, markerWidth: 7, markerHeight: 7, orient: 'auto', markerUnits: 'userSpaceOnUse'},
		svg('path', {d: 'M0 0 8 4 0 8z', fill: 'context-stroke'}));
}

export function legend(host, mode, unfolded) {
	host.replaceChildren(element('span', {}, element('b', {}, unfolded ? `connections by ${mode}` : `links by ${mode}`)), ...legends[mode].map(([name, words]) => element('span', {}, sample(name), words)), element('span', {}, sample('impaired g-none'), 'impaired'));
}

function sample(name) {
	const s = svg('svg', {width: 26, height: 10, viewBox: '0 0 26 10', class: 'graph sample'});
	const g = svg('g', {class: 'link ' + name}, svg('path', {class: 'line', d: 'M1 5H25'}));
	if (name.startsWith('impaired')) g.append(svg('path', {class: 'mark', d: 'M7 5l3 -4 6 8 3 -4'}));
	s.append(g);
	return s;
}
