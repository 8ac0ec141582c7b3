// layout says where everything is drawn: each node is a box, in it each namespace a ring of its workloads, so that no link passes under a
// workload of its own ring. It is a pure function: the same workloads are always at the same places.

const spacing = 30; // between workloads of a ring whose names are shown
const dense = 17; // between those of a ring whose names are not
const named = 14; // workloads of a ring up to which names are shown

export function layout(state, aspect) {
	const groups = new Map(state.nodes.map(n => [n.name, {node: n, rings: new Map()}]));
	for (const p of state.pods) {
		const g = groups.get(p.node);
		if (!g) continue;
		if (!g.rings.has(p.namespace)) g.rings.set(p.namespace, []);
		g.rings.get(p.namespace).push(p);
	}
	const local = [], remote = [];
	for (const g of groups.values()) {
		const rings = [...g.rings].map(([name, pods]) => ring(name, pods)).sort((a, b) => natural(a.name, b.name));
		(g.node.local ? local : remote).push({node: g.node, rings});
	}
	const far = remote.filter(g => g.rings.length);
	let best = null;
	for (let columns = 1; columns <= 12; columns++) {
		const plan = arrange(local, far, columns);
		const scale = Math.min(aspect / plan.width, 1 / plan.height);
		for (const r of plan.rings) put(plan, r);
		if (!best || scale > best.scale) best = {scale, plan};
	}
	return best.plan;
}

export function natural(a, b) { return a.localeCompare(b, 'en', {numeric: true}); }

function ring(name, pods) {
	pods = [...pods].sort((a, b) => natural(a.name, b.name));
	const n = pods.length, shown = n <= named;
	const radius = n === 1 ? 0 : Math.max(shown ? 34 : 30, n * (shown ? spacing : dense) / (2 * Math.PI));
	const size = shown ? 7.5 : 5.5;
	const pad = shown ? [46, 22] : [14, 14];
	return {name, pods, radius, size, shown, width: Math.max(2 * (radius + pad[0]), 96), height: 2 * (radius + pad[1]) + 20};
}

// arrange puts the rings of local nodes into so many columns, and the other nodes beside them.
function arrange(local, far, columns) {
	const plan = {boxes: [], rings: [], pods: new Map(), width: 0, height: 0};
	let x = 0, height = 0;
	for (const g of local) {
		const box = shelf(plan, g, x, 0, columns);
		x = box.x + box.width + 28;
		height = Math.max(height, box.height);
	}
	if (!far.length) { plan.width = Math.max(x - 28, 1); plan.height = Math.max(height, 1); return plan; }
	// The other nodes stand one below the other, in as many columns as make them about as high as the local one.
	let y = 0, column = 0;
	for (const g of far) {
		const across = Math.max(1, Math.round(Math.sqrt(g.rings.length) * 0.8));
		const box = shelf(plan, g, x, y, across);
		if (y > 0 && box.y + box.height > Math.max(height, 260)) { // the next column
			move(box, x + column + 20, 0);
			x += column + 20; y = 0; column = 0;
		}
		column = Math.max(column, box.width);
		y += box.height + 20;
		height = Math.max(height, y - 20);
	}
	plan.width = x + column; plan.height = height;
	return plan;
}

function move(box, x, y) {
	for (const r of box.rings) { r.x += x - box.x; r.y += y - box.y; }
	box.x = x; box.y = y;
}

function shelf(plan, g, x, y, columns) {
	const box = {node: g.node, x, y, width: 0, height: 0, rings: []};
	const pad = 12, head = 28;
	const wide = Math.max(...g.rings.map(r => r.width), 130);
	let cx = pad, cy = head, row = 0, i = 0;
	for (const r of g.rings) {
		if (i > 0 && i % columns === 0) { cx = pad; cy += row + 8; row = 0; }
		const at = {...r, x: x + cx, y: y + cy, width: wide, places: [], node: g.node.name};
		box.rings.push(at); plan.rings.push(at);
		cx += wide + 8; row = Math.max(row, r.height);
		box.width = Math.max(box.width, cx - 8 + pad);
		i++;
	}
	box.height = cy + row + pad; box.width = Math.max(box.width, 150);
	plan.boxes.push(box);
	return box;
}

// put places the workloads of a ring on it, from the left.
function put(plan, r) {
	r.cx = r.x + r.width / 2; r.cy = r.y + 20 + (r.height - 20) / 2;
	r.pods.forEach((pod, i) => {
		const angle = Math.PI + 2 * Math.PI * i / r.pods.length, radius = r.radius;
		const place = {pod, ring: r, angle, size: r.size, named: r.shown, x: r.cx + radius * Math.cos(angle), y: r.cy + radius * Math.sin(angle)};
		r.places.push(place); plan.pods.set(pod.name, place);
	});
}
