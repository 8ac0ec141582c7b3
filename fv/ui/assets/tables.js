// tables say all links, and all that was done, in rows: what the graph shows, for who reads it or hears it read.
import {element, ms, share, rate, clock} from './show.js';
import {keep, button} from './panel.js';

const columns = [
	['from', l => l.from, l => l.from], ['to', l => l.to, l => l.to], ['by', l => l.protocol, l => l.protocol], ['verdict', l => l.verdict, null],
	['connections', l => l.connections, l => `${l.standing}/${l.connections}`], ['answers', l => l.rate, l => rate(l.rate)],
	['loss', l => l.loss, l => share(l.loss)], ['P50', l => l.n ? l.p50 : -1, l => ms(l.n ? l.p50 : null)], ['P99', l => l.n ? l.p99 : -1, l => ms(l.n ? l.p99 : null)],
];

export class Tables {
	constructor(app) {
		this.app = app; this.by = 0; this.down = false;
		this.links = document.getElementById('links-table'); this.rows = document.getElementById('log');
		const tabs = [...document.querySelectorAll('[role=tab]')];
		for (const t of tabs) {
			t.addEventListener('click', () => this.tab(tabs, t));
			t.addEventListener('keydown', e => {
				const step = {ArrowRight: 1, ArrowLeft: -1}[e.key];
				if (!step) return;
				const next = tabs[(tabs.indexOf(t) + step + tabs.length) % tabs.length];
				this.tab(tabs, next); next.focus(); e.preventDefault();
			});
		}
		this.log();
	}

	tab(tabs, chosen) {
		for (const t of tabs) {
			const is = t === chosen;
			t.setAttribute('aria-selected', is); t.tabIndex = is ? 0 : -1;
			document.getElementById(t.getAttribute('aria-controls')).hidden = !is;
		}
	}

	draw() {
		const {app} = this, all = app.sortedLinks().filter(l => !app.found || app.found.has(l.from) || app.found.has(l.to));
		document.querySelector('#tab-links .count').textContent = app.state.links.length;
		if (this.by) all.sort((a, b) => compare(columns[this.by][1](a), columns[this.by][1](b)) * (this.down ? -1 : 1));
		else if (this.down) all.reverse();
		const head = element('tr', {}, ...columns.map(([name], i) => element('th', {scope: 'col', class: i > 3 ? 'n' : false, 'aria-sort': i === this.by ? (this.down ? 'descending' : 'ascending') : 'none'},
			button(name + (i === this.by ? (this.down ? ' ↓' : ' ↑') : ''), () => { this.down = i === this.by ? !this.down : i > 3; this.by = i; this.draw(); }, 'text', 'sort-' + name, `Sort by ${name}`))));
		const body = all.map(l => element('tr', {class: l.key === app.choice.link ? 'chosen' : false, 'data-row': l.key, click: () => app.choose({link: l.key})},
			element('th', {scope: 'row'}, button(l.from, () => app.choose({link: l.key}, true), 'text', 'row-' + l.key, `${l.from} to ${l.to} by ${l.protocol}`)), element('td', {}, l.to), element('td', {}, l.protocol),
			element('td', {}, element('span', {class: 'badge v-' + l.verdict}, l.verdict), app.isImpaired(l) ? element('span', {class: 'badge impaired'}, 'impaired') : null),
			...columns.slice(4).map(([, , words]) => element('td', {class: 'n'}, words(l)))));
		keep(this.links, [all.length ? element('div', {class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'Links'}, element('table', {}, element('thead', {}, head), element('tbody', {}, ...body))) : element('p', {class: 'muted'}, app.found ? 'No link of what was found.' : 'No links: nobody talks.')]);
	}

	log() {
		const all = this.app.entries;
		document.querySelector('#tab-log .count').textContent = all.length;
		const rows = [...all].reverse().map(e => element('tr', {class: e.error ? 'failed' : false}, element('td', {class: 'n'}, clock(e.at)), element('th', {scope: 'row'}, e.words, e.error ? element('small', {class: 'warn'}, e.error) : null), element('td', {class: 'n'}, ms(e.took))));
		keep(this.rows, [all.length ? element('div', {class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'What was done'}, element('table', {}, element('thead', {}, element('tr', {}, element('th', {scope: 'col', class: 'n'}, 'at'), element('th', {scope: 'col'}, 'what was done'), element('th', {scope: 'col', class: 'n'}, 'took'))), element('tbody', {}, ...rows))) : element('p', {class: 'muted'}, 'Nothing was done yet.')]);
	}
}

function compare(a, b) { return typeof a === 'number' ? a - b : String(a).localeCompare(b); }
