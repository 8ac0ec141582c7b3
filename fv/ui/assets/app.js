// app holds what is known of the session, passes orders on, and has the parts of the page drawn.
import {Graph, legend} from './graph.js';
import {Panel} from './panel.js';
import {Tables} from './tables.js';
import {Dialogs} from './dialogs.js';
import {natural} from './layout.js';
import {bytes, cores, element, spark} from './show.js';

const kept = 240; // states of which delays are remembered: two minutes

class App {
	constructor() {
		this.state = null; this.entries = []; this.gauges = []; this.about = null;
		this.choice = {}; this.colour = 'verdict'; this.found = null; this.past = new Map();
		this.tip = new Tip();
		this.graph = new Graph(this, document.getElementById('graph'));
		this.panel = new Panel(this); this.tables = new Tables(this); this.dialogs = new Dialogs(this);
		for (const b of document.querySelectorAll('[data-open]')) b.addEventListener('click', () => this.dialogs.open(b.dataset.open));
		document.getElementById('colours').addEventListener('change', e => { this.colour = e.target.value; this.recolour(); });
		const find = document.getElementById('find');
		find.addEventListener('input', () => { this.find(find.value); });
		document.addEventListener('keydown', e => {
			if (e.key === '/' && !e.target.closest('input,select,textarea,dialog')) { e.preventDefault(); find.focus(); }
		});
		this.recolour();
		fetch('about').then(r => r.json()).then(a => this.introduce(a)).then(() => this.follow()).catch(e => this.alive(false, String(e)));
	}

	introduce(about) {
		this.about = about;
		document.getElementById('about').textContent = `${about.target} ${about.version || ''} · run ${about.run}`;
		document.title = `nodefv: ${about.target}, ${about.run}`;
	}

	// follow reads what is told. A connection that broke is made again, and everything told anew.
	follow() {
		const events = new EventSource('events');
		events.onopen = () => { this.entries = []; this.gauges = []; this.alive(true, 'live'); };
		events.onmessage = e => this.take(JSON.parse(e.data));
		events.addEventListener('end', () => { events.close(); this.alive(false, 'the session has ended'); });
		events.onerror = () => this.alive(false, events.readyState === EventSource.CLOSED ? 'the session has ended' : 'no connection: it is tried again');
	}

	alive(is, words) {
		const el = document.getElementById('alive');
		el.textContent = words; el.classList.toggle('dead', !is);
		document.body.classList.toggle('dead', !is);
	}

	take(m) {
		if (m.entry) { this.entries.push(m.entry); this.tables.log(); if (m.entry.error) this.say(`failed: ${m.entry.words}: ${m.entry.error}`); else this.say(m.entry.words); }
		if (m.gauges) { this.gauges.push(m.gauges); if (this.gauges.length > 300) this.gauges.shift(); this.drawGauges(); }
		if (m.state) this.show(m.state);
	}

	show(state) {
		for (const name of ['nodes', 'namespaces', 'pods', 'policies', 'traffic', 'links', 'connections', 'impairments', 'churn']) state[name] = state[name] || [];
		for (const l of state.links) l.key = `${l.from}>${l.to}/${l.protocol}`;
		this.state = state;
		this.remember(state);
		if (this.choice.link && !this.link(this.choice.link)) this.choice = {};
		if (this.choice.pod && !state.pods.some(p => p.name === this.choice.pod)) this.choice = {};
		document.getElementById('empty').hidden = state.traffic.length > 0;
		this.redraw();
	}

	// remember keeps the delays of links and connections, for the lines that are drawn of them.
	remember(state) {
		const now = new Set();
		for (const c of [...state.links.map(l => [l.key, l]), ...state.connections.map(c => [c.id, c])]) {
			now.add(c[0]);
			if (!this.past.has(c[0])) this.past.set(c[0], []);
			const past = this.past.get(c[0]);
			past.push(c[1].n ? c[1].p50 / 1e6 : null);
			if (past.length > kept) past.shift();
		}
		for (const key of this.past.keys()) if (!now.has(key)) this.past.delete(key);
	}

	redraw() {
		if (!this.state) return;
		this.graph.draw(); this.panel.draw(); this.tables.draw(); this.dialogs.draw();
	}

	recolour() { this.explain(this.colour, false); this.redraw(); }

	// explain says what the colours mean.
	explain(mode, unfolded) {
		const key = mode + unfolded;
		if (key !== this.explained) { this.explained = key; legend(document.getElementById('legend'), mode, unfolded); }
	}

	link(key) { return this.state.links.find(l => l.key === key); }

	chosenLink() { return this.choice.link && this.link(this.choice.link); }

	connectionsOf(link) { return this.state.connections.filter(c => c.from === link.from && c.to === link.to && c.protocol === link.protocol); }

	sortedLinks() { return [...this.state.links].sort((a, b) => natural(a.from, b.from) || natural(a.to, b.to) || natural(a.protocol, b.protocol)); }

	// impairmentsOf are those that are about a link: it, one of its ends, or one of its connections.
	impairmentsOf(link) {
		const names = new Set(this.connectionsOf(link).map(c => c.impairment).filter(Boolean));
		return this.state.impairments.filter(i => i.traffic ? names.has(i.name) :
			i.to ? (i.from === link.from && i.to === link.to) || (i.from === link.to && i.to === link.from) : i.from === link.from || i.from === link.to);
	}

	isImpaired(link) { return link.impaired || this.impairmentsOf(link).length > 0; }

	choose(choice, aloud) {
		this.choice = choice;
		this.redraw();
		const l = this.chosenLink();
		if (aloud && l) this.say(`${l.from} to ${l.to} by ${l.protocol}: ${l.verdict}, ${l.connections} connections`);
	}

	find(words) {
		words = words.trim().toLowerCase();
		this.found = words && this.state ? new Set(this.state.pods.filter(p => p.name.toLowerCase().includes(words) || p.ips.some(ip => ip === words)).map(p => p.name)) : null;
		this.redraw();
		if (this.found) this.say(`${this.found.size} workloads found`);
	}

	// impairChoice opens the dialog for what is chosen.
	impairChoice() {
		const c = this.choice.connection && this.state.connections.find(c => c.id === this.choice.connection), l = this.chosenLink();
		if (c) this.dialogs.impair({traffic: c.traffic, connection: c.number, title: `connection ${c.id}`, detail: `${c.local} → ${c.remote}, ${c.from} to ${c.to}`});
		else if (l) this.dialogs.impair({from: l.from, to: l.to, title: `${l.from} → ${l.to}`, detail: 'all packets between the two workloads'});
		else if (this.choice.pod) this.dialogs.impair({from: this.choice.pod, title: this.choice.pod, detail: 'all packets of the workload'});
	}

	// order has an order carried out; its error is what the session says.
	async order(o) {
		const r = await fetch('order', {method: 'POST', headers: {'Content-Type': 'application/json'}, body: JSON.stringify(o)});
		if (!r.ok) throw new Error(await r.text());
		const said = await r.json();
		if (said.error) throw new Error(said.error);
	}

	// tryOrder is order for a button that stands alone: what goes wrong is in the log.
	tryOrder(o) { this.order(o).catch(e => this.say(e.message)); }

	say(words) { document.getElementById('said').textContent = words; }

	drawGauges() {
		const g = this.gauges[this.gauges.length - 1], past = name => this.gauges.map(p => p[name] ?? null);
		const one = (name, value, line, words) => element('div', {title: words}, element('dt', {}, name), element('dd', {}, value), line ? spark(past(line), 84, 22) : null);
		document.getElementById('gauges').replaceChildren(
			one('heap', bytes(g.heap), 'heap', 'The agent\'s heap, as its runtime says'),
			one('RSS', bytes(g.rss), 'rss', 'Resident memory of the agent\'s process'),
			one('CPU', cores(g.cpu) + ' cores', 'cpu', 'Processor used by the agent and what it starts'),
			one('endpoints', g.endpoints ?? '–', null, 'Endpoints in the cluster, as the agent counts them'));
	}
}

class Tip {
	constructor() { this.el = document.getElementById('tip'); }

	show(words) { this.el.hidden = !words; this.el.textContent = words; }

	move(e) {
		const {el} = this;
		if (el.hidden) return;
		const x = Math.min(e.clientX + 14, innerWidth - el.offsetWidth - 8), y = e.clientY + 18 + el.offsetHeight > innerHeight ? e.clientY - el.offsetHeight - 10 : e.clientY + 18;
		el.style.left = x + 'px'; el.style.top = y + 'px';
	}
}

window.app = new App();
