// dialogs ask what is to be done.
import {element} from './show.js';
import {natural} from './layout.js';
import {proof, button, keep} from './panel.js';

const second = 1e9, milli = 1e6;

export class Dialogs {
	constructor(app) { this.app = app; this.host = document.getElementById('dialogs'); this.numbers = {}; }

	open(name, given) { if (this.app.state) this[name](given || {}); }

	// draw brings what a dialog shows live up to date.
	draw() { this.live?.(); }

	// show opens a dialog with fields. What is asked makes an order of what the form holds, or throws why it can't.
	show({id, title, detail, fields, does, ask, after, more}) {
		const trouble = element('p', {class: 'warn', role: 'alert'});
		const go = element('button', {class: 'main', type: 'submit'}, does);
		const form = element('form', {method: 'dialog', novalidate: true}, element('h2', {id: 'h-' + id}, title), detail ? element('p', {class: 'muted'}, detail) : null, ...fields, trouble, more,
			element('p', {class: 'actions'}, button('Close', () => dialog.close(), '', 'close'), go));
		const dialog = element('dialog', {id, 'aria-labelledby': 'h-' + id}, form);
		form.addEventListener('submit', async e => {
			e.preventDefault();
			trouble.textContent = '';
			const bad = form.querySelector(':invalid');
			if (bad) { trouble.textContent = `${bad.closest('label')?.firstChild?.textContent || bad.name}: ${bad.validationMessage}`; bad.focus(); return; }
			go.disabled = true;
			try {
				await this.app.order(ask(form.elements));
				if (after) after(form); else dialog.close();
			} catch (err) { trouble.textContent = err.message; }
			go.disabled = false;
		});
		dialog.addEventListener('close', () => { this.live = null; dialog.remove(); });
		dialog.addEventListener('click', e => { if (e.target === dialog) dialog.close(); });
		this.host.append(dialog);
		dialog.showModal();
		return {dialog, form, trouble};
	}

	pods() { return this.app.state.pods.filter(p => !p.churned).map(p => p.name).sort(natural); }

	// fresh is a name that is not taken.
	fresh(prefix, taken) {
		let n = (this.numbers[prefix] || 0) + 1;
		while (taken.includes(prefix + n)) n++;
		this.numbers[prefix] = n;
		return prefix + n;
	}

	traffic(given) {
		const pods = this.pods(), local = this.app.state.pods.filter(p => this.app.state.nodes.find(n => n.name === p.node)?.local && !p.churned).map(p => p.name).sort(natural);
		const {form} = this.show({
			id: 'traffic', title: 'Start traffic', does: 'Start',
			fields: [
				select('Who talks', 'pattern', [['namespaces', 'in each namespace, all to the first'], ['all to one', 'all of this node to one'], ['ring', 'each of this node to the next'], ['pair', 'one to another']], given.pattern),
				element('div', {class: 'two'}, select('From', 'from', pods, given.from || local[1]), select('To', 'to', pods, given.to || local[0])),
				element('div', {class: 'two'}, select('By', 'protocol', [['tcp', 'TCP'], ['udp', 'UDP'], ['http', 'HTTP/1.1']]), number('Connections of each pair', 'connections', 2, 1, 1000, 1)),
				element('div', {class: 'two'}, number('Messages a second, of each connection', 'rate', 10, 0.1, 10000, 'any'), number('Bytes of a message', 'size', 64, 16, 65000, 1)),
			],
			ask: f => {
				const pattern = f.pattern.value, order = {name: this.fresh('t', this.app.state.traffic.map(t => t.name)), pattern, protocol: f.protocol.value, connections: +f.connections.value, rate: +f.rate.value, size: +f.size.value};
				if (pattern === 'pair') order.from = f.from.value;
				if (pattern === 'pair' || pattern === 'all to one') order.to = f.to.value;
				return {traffic: order};
			},
		});
		const fit = () => {
			const pattern = form.elements.pattern.value;
			form.elements.from.disabled = pattern !== 'pair';
			form.elements.to.disabled = pattern !== 'pair' && pattern !== 'all to one';
		};
		form.elements.pattern.addEventListener('change', fit); fit();
	}

	churn() {
		const choices = this.app.about.churns, doc = element('p', {class: 'muted small'});
		const {form} = this.show({
			id: 'churn', title: 'Start churn', does: 'Start', detail: 'What comes and goes is made besides the workloads that are there.',
			fields: [select('What comes and goes', 'kind', choices.map(c => [c.kind, c.kind.replaceAll('-', ' ')]), 'policies'), doc,
				element('div', {class: 'two'}, number('Objects of each cycle', 'objects', 10, 1, 1000, 1), number('Seconds of a cycle', 'every', 1, 0.1, 3600, 'any'))],
			ask: f => ({churn: {kind: f.kind.value, objects: +f.objects.value, every: Math.round(f.every.value * second)}}),
		});
		const tell = () => { doc.textContent = choices.find(c => c.kind === form.elements.kind.value).doc.replace(/; what the SUT holds must not grow.*$/, '.'); };
		form.elements.kind.addEventListener('change', tell); tell();
	}

	policy() {
		const roles = [...new Set(this.app.state.pods.filter(p => !p.churned).map(p => p.labels.role).filter(Boolean))].sort();
		this.show({
			id: 'policy', title: 'Put a policy in force', does: 'Put in force', detail: 'A NetworkPolicy for what workloads of a namespace receive. Connections that stand go on.',
			fields: [select('In namespace', 'namespace', [...this.app.state.namespaces].sort(natural)), select('For', 'role', [['', 'all of its workloads'], ...roles.map(r => [r, 'role ' + r])]),
				select('Let in', 'let', [['nobody', 'nobody'], ['namespace', 'workloads of the same namespace'], ...roles.map(r => [r, `role ${r}, of any namespace`])])],
			ask: f => ({policy: {name: this.fresh('p', this.app.state.policies.map(p => p.name.split('/')[1])), namespace: f.namespace.value, role: f.role.value || undefined, let: f.let.value}}),
		});
	}

	agent() {
		this.show({
			id: 'agent', title: 'Take the agent away', does: 'Do it', detail: 'See what connections feel while the agent does not run.',
			fields: [select('What', 'do', [['restart', 'kill it, and start it again'], ['freeze', 'freeze it (SIGSTOP)']]), number('Seconds that it is away', 'for', 3, 0, 60, 'any')],
			ask: f => ({agent: {do: f.do.value, for: Math.round(f.for.value * second)}}),
		});
	}

	// impair asks for an impairment of a connection, a link or a workload, and shows what was achieved.
	impair(of) {
		const now = () => this.app.state.impairments.find(i => !i.foreign && (of.traffic ? i.traffic === of.traffic && (i.connection || 0) === of.connection : !i.traffic && i.from === of.from && (i.to || '') === (of.to || '')));
		const was = now() || {}, live = element('div', {class: 'body', 'aria-live': 'off'});
		const part = (name, value, most, unit) => number(name, unit, value, 0, most, 'any');
		const presets = [['slow', {delay: 100}], ['lossy', {loss: 3}], ['mobile', {delay: 80, jitter: 20, loss: 1, rate: 5}], ['dead', {loss: 100}]];
		const {form, dialog} = this.show({
			id: 'impair', title: `Impair ${of.title}`, detail: of.detail, does: was.name ? 'Change' : 'Impair',
			fields: [
				element('p', {class: 'presets'}, ...presets.map(([name, values]) => button(name, () => { for (const f of form.elements) if (f.type === 'number') f.value = values[f.name] ?? 0; }, '', 'preset-' + name))),
				element('div', {class: 'two'}, part('Delay, ms', (was.delay || 0) / milli, 60000, 'delay'), part('Jitter, ± ms', (was.jitter || 0) / milli, 60000, 'jitter')),
				element('div', {class: 'two'}, part('Loss, %', percent(was.loss), 100, 'loss'), part('Rate, Mbit/s (0: no limit)', (was.rate || 0) / 1e6, 1e6, 'rate')),
				element('details', {open: Boolean(was.duplication || was.reordering || was.corruption)}, element('summary', {}, 'more'),
					element('div', {class: 'three'}, part('Duplicated, %', percent(was.duplication), 100, 'duplication'), part('Reordered, %', percent(was.reordering), 100, 'reordering'), part('Corrupted, %', percent(was.corruption), 100, 'corruption'))),
				element('fieldset', {class: 'segments'}, element('legend', {}, of.to || of.traffic ? 'Which way' : 'Packets that it'), ...(of.to || of.traffic ? [['there', 'there'], ['back', 'back'], ['both', 'both']] : [['there', 'sends'], ['back', 'receives'], ['both', 'both']]).map(([v, words]) =>
					element('label', {}, element('input', {type: 'radio', name: 'way', value: v, checked: v === (was.way || 'there')}), element('span', {}, words)))),
			],
			more: live,
			ask: f => {
				const name = now()?.name || (of.traffic ? `${of.traffic}#${of.connection}` : of.to ? `${of.from} ${of.to}` : of.from);
				const ask = {name, way: f.way.value, delay: Math.round(f.delay.value * milli), jitter: Math.round(f.jitter.value * milli), loss: f.loss.value / 100, rate: Math.round(f.rate.value * 1e6), duplication: f.duplication.value / 100, reordering: f.reordering.value / 100, corruption: f.corruption.value / 100};
				return {impair: of.traffic ? {...ask, traffic: of.traffic, connection: of.connection} : {...ask, from: of.from, to: of.to}};
			},
			after: () => { form.querySelector('[type=submit]').textContent = 'Change'; },
		});
		this.live = () => {
			const i = now();
			keep(live, i ? [element('h3', {}, 'In force'), proof(i), element('p', {}, button('End it', () => { this.app.tryOrder({mend: i.name}); dialog.close(); }, '', 'end'))] : []);
		};
		this.live();
	}

	save() {
		const source = element('pre', {tabindex: 0, 'aria-label': 'Source'}), link = element('a', {class: 'button', hidden: true}, 'Download');
		const {form, trouble} = this.show({
			id: 'save', title: 'Save as scenario', does: 'Show', detail: 'A Go file for the folder scenarios of a checkout. It does again what was done, each thing after the same time, on the same cluster, and wants every impairment to be in force.',
			fields: [element('label', {}, 'Name, in lower-case words', element('input', {name: 'name', value: 'what I saw', required: true, autocomplete: 'off'}))],
			more: element('div', {}, source, element('p', {}, link)),
			ask: () => ({}),
		});
		const show = async () => {
			const name = encodeURIComponent(form.elements.name.value);
			const r = await fetch('scenario?name=' + name), words = await r.text();
			trouble.textContent = r.ok ? '' : words; source.textContent = r.ok ? words : ''; source.hidden = !r.ok;
			link.hidden = !r.ok; link.href = 'scenario?file=1&name=' + name; link.setAttribute('download', '');
		};
		form.elements.name.value = 'what i saw';
		form.elements.name.addEventListener('input', show);
		form.querySelector('[type=submit]').remove();
		show();
	}
}

function percent(v) { return +(100 * (v || 0)).toPrecision(6); }

function select(words, name, choices, chosen) {
	return element('label', {}, words, element('select', {name}, ...choices.map(c => Array.isArray(c) ? c : [c, c]).map(([v, text]) => element('option', {value: v, selected: v === chosen}, text))));
}

function number(words, name, value, min, max, step) {
	return element('label', {}, words, element('input', {type: 'number', name, value, min, max, step, required: true}));
}
