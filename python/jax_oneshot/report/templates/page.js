// SPDX-License-Identifier: Apache-2.0
// The page's script: shows one section at a time by URL hash, filters, searches, and unpacks a module's texts.
'use strict';
(() => {
  const one = (selector, from = document) => from.querySelector(selector);
  const all = (selector, from = document) => [...from.querySelectorAll(selector)];
  const opened = new Map();  // section -> promise of its module's unpacked contents

  async function unpack(id) {
    const bytes = Uint8Array.from(atob(one('#' + id).textContent), (c) => c.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'));
    return new Response(stream).json();
  }

  // One line of HLO: opcode in bold, metadata and configuration dimmed.
  function lineElement(text) {
    const line = document.createElement('div');
    const parts = /^(.*? = (?:\(.*?\) |\S+ ))([\w-]+)(\(.*)$/.exec(text);
    if (!parts) {
      line.textContent = text;
      return line;
    }
    const dim = /, (?:metadata|backend_config|frontend_attributes)=/.exec(parts[3]);
    const cut = dim ? dim.index : parts[3].length;
    const opcode = document.createElement('b');
    opcode.textContent = parts[2];
    const rest = document.createElement('i');
    rest.textContent = parts[3].slice(cut);
    line.append(parts[1], opcode, parts[3].slice(0, cut), rest);
    return line;
  }

  function fillPane(pane, text, marks, module) {
    const lines = text.split('\n').map(lineElement);
    lines.forEach((line, index) => { line.dataset.l = index + 1; });
    for (const [line, number, verdict] of marks) {
      const element = lines[line];
      if (!element) continue;
      element.classList.add(verdict);
      element.dataset.n = element.dataset.n ? element.dataset.n + ' ' + number : number;
    }
    pane.replaceChildren(...lines);
    pane.addEventListener('click', (event) => {
      const marked = event.target.closest('[data-n]');
      if (marked && !String(getSelection())) location.hash = '#' + module + '.' + marked.dataset.n.split(' ')[0];
    });
  }

  function open(section) {
    if (!opened.has(section)) {
      opened.set(section, unpack(section.dataset.packed).then((contents) => {
        fillPane(one('.before', section), contents.before, contents.marks.before, section.id);
        fillPane(one('.after', section), contents.after ?? contents.before, contents.marks.after, section.id);
        return contents;
      }));
    }
    return opened.get(section);
  }

  // Highlights the lines of one all-reduce and scrolls to its own line or its call's.
  function showMarks(pane, number, line) {
    pane.classList.toggle('focused', number !== null);
    for (const marked of all('[data-n]', pane)) {
      marked.classList.toggle('now', number !== null && marked.dataset.n.split(' ').includes(number));
    }
    const goal = pane.children[line ?? -1];
    if (goal) pane.scrollTop = goal.offsetTop - pane.offsetTop - pane.clientHeight / 4;
  }

  async function showModule(section, number) {
    const contents = await open(section);
    all('.pick', section).forEach((pick) => pick.classList.toggle('on', pick.dataset.number === number));
    one('.chosen', section).innerHTML = number === null ? '' : contents.details[Number(number)] ?? '';
    for (const side of ['before', 'after']) {
      showMarks(one('.text.' + side, section), number, contents.goals[Number(number)]?.[side]);
    }
    section.dataset.ready = number ?? '';
  }

  function route() {
    const [view, number] = (location.hash.slice(1) || 'modules').split('.');
    const section = one('#view-' + CSS.escape(view)) ?? one('section#' + CSS.escape(view)) ?? one('#view-modules');
    all('.view').forEach((other) => { other.hidden = other !== section; });
    const tab = section.classList.contains('module') ? 'modules' : section.id.slice('view-'.length);
    all('nav > a').forEach((link) => link.classList.toggle('on', link.dataset.view === tab));
    if (!section.classList.contains('module')) return;
    const first = one('.pick', section)?.dataset.number ?? null;
    showModule(section, number ?? first);
  }

  function filter() {
    const verdicts = new Set(all('.chip input').filter((box) => box.checked).map((box) => box.value));
    const terms = one('#search').value.toLowerCase().split(/\s+/).filter(Boolean);
    const found = new Map();  // module -> whether each of its all-reduces is shown
    const entries = all('.entry');
    for (const row of entries) {
      const shown = verdicts.has(row.dataset.verdict) && terms.every((term) => row.dataset.text.includes(term));
      row.hidden = !shown;
      if (!found.has(row.dataset.module)) found.set(row.dataset.module, []);
      found.get(row.dataset.module).push(shown);
    }
    for (const row of all('#view-modules tr[data-module]')) {
      row.hidden = !(found.get(row.dataset.module) ?? [terms.length === 0]).includes(true);
    }
    for (const pick of all('.pick')) {
      const section = pick.closest('.module').id.slice(1);
      pick.parentElement.hidden = !found.get(section)[Number(pick.dataset.number)];
    }
    for (const link of all('.entry-link')) {
      const [module, number] = one('a', link).hash.slice(2).split('.');
      link.hidden = !found.get(module)[Number(number)];
    }
    for (const group of all('.why')) group.hidden = !all('.entry-link', group).some((link) => !link.hidden);
    const shown = entries.filter((row) => !row.hidden).length;
    one('#shown').textContent = shown === entries.length ? '' : `${shown} of ${entries.length}`;
  }

  all('.chip input').forEach((box) => box.addEventListener('change', filter));
  one('#search').addEventListener('input', filter);
  all('tr.go').forEach((row) => row.addEventListener('click', (event) => {
    if (!event.target.closest('a') && !String(getSelection())) location.hash = one('a', row).hash;
  }));
  addEventListener('hashchange', route);
  addEventListener('pageshow', filter);  // a browser may restore the check boxes of an earlier visit
  filter();
  route();
})();
