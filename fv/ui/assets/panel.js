// panel says what is chosen, and what is in force.
import {element, ms, share, rate, spark, claimed} from './show.js';

export class Panel {
	constructor(app) {
		this.app = app;
		this.selection = document.querySelector('#selection .body'); this.running = document.querySelector('#running .body');
	}

	draw() {
		const {app} = this, link = app.chosenLink(), pod = app.choice.pod && app.state.pods.find(p => p.name === app.choice.pod);
		keep(this.selection, link ? this.link(link) : pod ? this.pod(pod) : [element('p', {class: 'muted'}, 'Choose a link or a workload in the graph or the table. With the keyboard: arrow keys in the graph, I to impair.')]);
		keep(this.running, this.inForce());
	}

	link(l) {
		const {app} = this, of = app.connectionsOf(l);
		return [
			element('h3', {}, ends(l.from, l.to), ' ', element('span', {class: 'muted'}, l.protocol)),
			element('p', {class: 'verdict'}, element('span', {class: 'badge v-' + l.verdict}, l.verdict), ' ', verdictWords(l)),
			l.why ? element('p', {class: 'muted small'}, l.why) : null,
			figures(l, app.past.get(l.key)),
			element('p', {class: 'buttons'}, button('Impair this link…', () => app.dialogs.impair({from: l.from, to: l.to, title: `${l.from} → ${l.to}`, detail: 'all packets between the two workloads'}), 'main', 'impair-link')),
			element('h4', {}, `${l.connections} connection${l.connections === 1 ? '' : 's'}, ${l.standing} standing`),
			element('div', {class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'Connections'}, element('table', {class: 'connections'},
				element('thead', {}, element('tr', {}, ...['connection', 'P50', '', 'lost', ''].map(h => element('th', {scope: 'col'}, h)))),
				element('tbody', {}, ...of.slice(0, 200).map(c => this.connection(c))))),
			of.length > 200 ? element('p', {class: 'muted small'}, `and ${of.length - 200} more`) : null,
		];
	}

	connection(c) {
		const {app} = this;
		return element('tr', {
			class: (app.choice.connection === c.id ? 'chosen ' : '') + (c.impairment ? 'impaired' : ''), 'data-connection': c.id, 'data-p50': c.n ? c.p50 : '', title: `${c.local} → ${c.remote}`,
			click: e => { if (!e.target.closest('button')) app.choose({link: app.choice.link, connection: c.id}); },
		},
		element('th', {scope: 'row'}, c.id, element('small', {}, (c.local || '').replace(/^.*:/, ':') + (c.stands ? '' : ' · ' + (c.cause || 'connecting')))),
		element('td', {class: 'n'}, ms(c.n ? c.p50 : null)), element('td', {}, spark(app.past.get(c.id).slice(-60), 54, 16)),
		element('td', {class: 'n'}, share(c.loss)),
		element('td', {}, button(c.impairment ? 'Impaired…' : 'Impair…', () => { app.choose({link: app.choice.link, connection: c.id}); app.impairChoice(); }, '', 'impair-' + c.id, `Impair connection ${c.id}`)));
	}

	pod(p) {
		const {app} = this, links = app.sortedLinks().filter(l => l.from === p.name || l.to === p.name), here = app.state.nodes.find(n => n.name === p.node)?.local;
		return [
			element('h3', {}, p.name),
			element('p', {class: 'muted'}, `on ${p.node}${here ? '' : ', another node'} · ${p.ips.join(', ')}`),
			element('p', {class: 'chips'}, ...Object.entries(p.labels).map(([k, v]) => element('span', {class: 'chip'}, `${k}=${v}`))),
			element('p', {class: 'buttons'}, button('Traffic to it…', () => app.dialogs.open('traffic', {pattern: 'all to one', to: p.name}), 'main', 'traffic-to'),
				here ? button('Impair its link…', () => app.impairChoice(), '', 'impair-pod') : null),
			links.length ? element('ul', {class: 'plain'}, ...links.slice(0, 100).map(l => element('li', {}, button(`${l.from} → ${l.to}`, () => app.choose({link: l.key}, true), 'text', 'to-' + l.key), ' ', element('span', {class: 'muted'}, ms(l.n ? l.p50 : null))))) : null,
		];
	}

	inForce() {
		const {app} = this, s = app.state, all = [];
		if (s.away) all.push(element('p', {class: 'warn'}, `now: ${s.away}`));
		if (s.trouble) all.push(element('p', {class: 'warn'}, s.trouble));
		const item = (words, more, label, order, key) => element('li', {}, element('div', {}, words, more), button(label, () => app.tryOrder(order), '', key, `${label}: ${words.textContent || words}`));
		if (s.impairments.length) {
			all.push(element('h3', {}, 'Impairments ', s.impairments.length > 1 ? button('end all', () => app.tryOrder({mend: '*'}), 'text', 'mend-all') : null),
				element('ul', {class: 'items'}, ...s.impairments.map(i => element('li', {'data-impairment': i.name}, element('div', {}, i.words.replace(/^impair /, '')),
					element('span', {class: 'buttons'}, i.foreign ? null : button('Change…', () => app.dialogs.impair({...target(i), title: i.name, detail: i.words.replace(/^impair /, '')}), '', 'change-' + i.name, `Change ${i.name}`), button('End', () => app.tryOrder({mend: i.name}), '', 'mend-' + i.name, `End ${i.name}`)), proof(i)))));
		}
		if (s.traffic.length) all.push(element('h3', {}, 'Traffic'), element('ul', {class: 'items'}, ...s.traffic.map(t => item(t.words.replace(/^start traffic /, ''), element('small', {}, t.over ? 'it has ended' : `${t.number} connections`), 'Stop', {stopTraffic: t.name}, 'stop-' + t.name))));
		if (s.churn.length) all.push(element('h3', {}, 'Churn'), element('ul', {class: 'items'}, ...s.churn.map(c => item(`${c.kind}, a cycle each ${c.every / 1e9} s`, element('small', {class: c.error ? 'warn' : ''}, c.error || `${c.cycles} cycles, ${c.made} objects so far`), 'Stop', {stopChurn: c.kind}, 'churn-' + c.kind))));
		const own = s.policies.filter(p => !p.churns);
		if (own.length) all.push(element('h3', {}, 'Policies'), element('ul', {class: 'items'}, ...own.map(p => item(p.name, null, 'Remove', {removePolicy: p.name}, 'policy-' + p.name))));
		if (!all.length) all.push(element('p', {class: 'muted'}, 'Nothing: no traffic, no churn, no impairment, no policy.'));
		return all;
	}
}

// keep puts children in the place of what was there, and leaves the focus and what is scrolled where they were.
export function keep(host, children) {
	children = children.filter(Boolean);
	const focused = host.contains(document.activeElement) ? document.activeElement.dataset.key : null;
	const scrolled = [...host.querySelectorAll('.scroll')].map(el => el.scrollTop);
	if (host.matches(':active')) return; // a button is being pressed
	host.replaceChildren(...children);
	[...host.querySelectorAll('.scroll')].forEach((el, i) => { el.scrollTop = scrolled[i] || 0; });
	if (focused) [...host.querySelectorAll('[data-key]')].find(b => b.dataset.key === focused)?.focus({preventScroll: true});
}

export function button(words, click, kind, key, label) {
	return element('button', {type: 'button', class: kind || false, 'data-key': key, 'aria-label': label && label !== words ? label : false, click}, words);
}

// target is what an impairment is about.
export function target(i) {
	return i.traffic ? {traffic: i.traffic, connection: i.connection || 0} : {from: i.from, to: i.to};
}

function ends(from, to) { return element('span', {}, from, element('span', {class: 'muted'}, ' → '), to); }

function verdictWords(l) {
	if (l.impaired) return 'the path is impaired: what a new connection meets says nothing of policies';
	if (!l.want) return 'no new connection was tried yet';
	const got = l.got === 'connected' ? 'passes' : l.got === 'dropped' ? 'is dropped' : 'ends as: ' + l.got;
	if (l.verdict === 'wrong' || l.verdict === 'unsure') return `a new connection ${got}; by the policies it must be ${l.want}`;
	return `a new connection ${got}, as it must`;
}

function figures(l, past) {
	const one = (name, value) => element('div', {}, element('dt', {}, name), element('dd', {}, value));
	return element('dl', {class: 'figures'}, one('answers', rate(l.rate)), one('loss', share(l.loss)), one('P50', ms(l.n ? l.p50 : null)), one('P99', ms(l.n ? l.p99 : null)),
		element('div', {class: 'wide'}, element('dt', {}, 'P50, two minutes'), element('dd', {}, spark(past || [], 300, 44, true))));
}

// proof is what was asked beside what was achieved.
export function proof(i) {
	const rows = (i.ways || []).flatMap(w => {
		const way = i.ways.length > 1 ? (w.in ? ' in' : ' out') : '';
		if (!w.claims || !w.claims.length) return [element('tr', {}, element('th', {scope: 'row'}, 'packets' + way), element('td', {colspan: 3}, `${w.packets} matched`))];
		return w.claims.map(c => element('tr', {'data-claim': c.property, class: 'claim ' + c.state.replaceAll(' ', '-')}, element('th', {scope: 'row'}, c.property + way), element('td', {class: 'n'}, claimed(c.property, c.asked)),
			element('td', {class: 'n'}, c.state === 'unknown' ? '–' : claimed(c.property, c.achieved)), element('td', {}, c.state === 'unknown' ? `too few packets (${c.n})` : c.state)));
	});
	return element('table', {class: 'proof'}, element('thead', {}, element('tr', {}, element('th', {}), element('th', {scope: 'col', class: 'n'}, 'asked'), element('th', {scope: 'col', class: 'n'}, 'achieved'), element('th', {}))), element('tbody', {}, ...rows));
}
