// layout says where everything is drawn: each node is a box, in it each namespace a ring of its workloads, so that no link passes under a
// workload of its own ring. It is a pure function: the same workloads are always at the same places.

const few = 60; // workloads up to which all names are shown
const gap = 8, pad = 12, apart = 24;

// layout fits the state into a picture. Its units are pixels at scale 1; text is how much larger it must be drawn to be readable at the scale
// that comes of it.
export function layout(state, width, height) {
	const named = state.pods.filter(p => !p.churned).length <= few;
	let text = 1, best = null;
	for (let pass = 0; pass < 3; pass++) {
		best = search(group(state, named, text), width, height, text);
		const wanted = Math.min(Math.max(1 / best.scale, 1), 2.4);
		if (Math.abs(wanted - text) < 0.05) break;
		text = wanted;
	}
	for (const r of best.plan.rings) put(best.plan, r);
	return {...best.plan, scale: best.scale, text};
}

export function natural(a, b) { return a.localeCompare(b, 'en', {numeric: true}); }

// group gathers the workloads of each namespace of each node.
function group(state, named, text) {
	const nodes = new Map(state.nodes.map(n => [n.name, {node: n, rings: new Map()}]));
	for (const p of state.pods) {
		const g = nodes.get(p.node);
		if (!g || p.churned) continue; // what comes and goes is counted, so that the picture stands
		if (!g.rings.has(p.namespace)) g.rings.set(p.namespace, []);
		g.rings.get(p.namespace).push(p);
	}
	return [...nodes.values()].map(g => ({node: g.node, rings: [...g.rings].map(([name, pods]) => ring(name, pods, named, text)).sort((a, b) => natural(a.name, b.name))}))
		.filter(g => g.node.local || g.rings.length);
}

function ring(name, pods, named, text) {
	pods = [...pods].sort((a, b) => natural(a.name, b.name));
	const n = pods.length, least = named ? 34 : 13;
	const radius = n === 1 ? 0 : Math.max(least, n * (named ? 30 : 17) / (2 * Math.PI));
	const size = named ? 7.5 : 6;
	const around = named ? [46, 22] : [13, 11];
	const head = 18 * text;
	return {name, pods, radius, size, named, head, width: Math.max(2 * (radius + around[0]), name.length * 7 * text + 20), height: 2 * (radius + around[1]) + head};
}

// search tries how many columns of namespaces each kind of node has, and takes what can be drawn largest.
function search(groups, width, height, text) {
	const local = groups.filter(g => g.node.local), far = groups.filter(g => !g.node.local);
	let best = null;
	for (let here = 1; here <= 12; here++) {
		for (let there = 1; there <= (far.length ? 10 : 1); there++) {
			for (let rows = 1; rows <= Math.max(far.length, 1); rows++) {
				const plan = arrange(local, far, here, there, rows, text);
				const scale = Math.min(width / plan.width, height / plan.height);
				if (!best || scale > best.scale * 1.001) best = {scale, plan};
			}
		}
	}
	return best;
}

// arrange puts the local node at the left, and the others beside it, so many below each other.
function arrange(local, far, here, there, rows, text) {
	const plan = {boxes: [], rings: [], pods: new Map(), width: 1, height: 1};
	let x = 0;
	for (const g of local) x = shelf(plan, g, x, 0, here, text).right + apart;
	for (let i = 0; i < far.length; i += rows) {
		let y = 0, right = x;
		for (const g of far.slice(i, i + rows)) {
			const box = shelf(plan, g, x, y, there, text);
			y = box.y + box.height + gap + 4; right = Math.max(right, box.right);
		}
		x = right + apart;
	}
	for (const b of plan.boxes) { plan.width = Math.max(plan.width, b.right); plan.height = Math.max(plan.height, b.y + b.height); }
	return plan;
}

// shelf is a node with its namespaces in so many columns.
function shelf(plan, g, x, y, columns, text) {
	const box = {node: g.node, title: g.node.name + (g.node.local ? ' · the agent' : ''), x, y, width: 0, height: 0};
	const head = 10 + 16 * text, wide = Math.max(...g.rings.map(r => r.width), 40);
	let cx = pad, cy = head, row = 0;
	g.rings.forEach((r, i) => {
		if (i > 0 && i % columns === 0) { cx = pad; cy += row + gap; row = 0; }
		plan.rings.push({...r, x: x + cx, y: y + cy, width: wide});
		cx += wide + gap; row = Math.max(row, r.height);
		box.width = Math.max(box.width, cx - gap + pad);
	});
	box.width = Math.max(box.width, box.title.length * 7.6 * text + 2 * pad);
	box.height = cy + row + pad; box.right = x + box.width;
	plan.boxes.push(box);
	return box;
}

// put places the workloads of a ring on it, from the left.
function put(plan, r) {
	r.cx = r.x + r.width / 2; r.cy = r.y + r.head + (r.height - r.head) / 2;
	r.pods.forEach((pod, i) => {
		const angle = Math.PI + 2 * Math.PI * i / r.pods.length;
		plan.pods.set(pod.name, {pod, ring: r, angle, size: r.size, named: r.named, x: r.cx + r.radius * Math.cos(angle), y: r.cy + r.radius * Math.sin(angle)});
	});
}
