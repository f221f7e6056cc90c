// Sorts tables, copies them as CSV, and filters samples. It reads the page alone; without it all is shown, unsorted.
"use strict";

const NUMBER = /[-+−]?\d[\d,]*(\.\d+)?/;

function cellText(cell) {
  return cell.innerText.replace(/\s+/g, " ").trim();
}

function cellNumber(text) {
  const found = text.match(NUMBER);
  return found ? parseFloat(found[0].replace(/,/g, "").replace("−", "-")) : null;
}

// Numbers by size, what is no number behind all of them in both directions.
function compareNumbers(a, b, sign) {
  if (a === null || b === null) return (a === null) - (b === null);
  return sign * (a - b);
}

function sortBy(table, heading, column) {
  const sign = heading.getAttribute("aria-sort") === "ascending" ? -1 : 1;
  for (const other of table.tHead.querySelectorAll("th")) other.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
  const numeric = heading.classList.contains("number");
  const keyed = [...table.tBodies[0].rows].map((row) => ({ row, text: cellText(row.cells[column]) }));
  keyed.sort((a, b) => numeric
    ? compareNumbers(cellNumber(a.text), cellNumber(b.text), sign)
    : sign * a.text.localeCompare(b.text));
  for (const { row } of keyed) table.tBodies[0].append(row);
}

// A spreadsheet takes a cell that begins so for a formula: it is made text, unless it is a number with its sign.
function csvCell(text) {
  const acts = /^[=@\t\r]/.test(text) || (/^[-+−]/.test(text) && !/^[-+−]\d/.test(text));
  return `"${(acts ? `'${text}` : text).replace(/"/g, '""')}"`;
}

function csvOf(table) {
  return [...table.rows].map((row) => [...row.cells].map((cell) => csvCell(cellText(cell))).join(",")).join("\r\n");
}

async function copy(text) {
  if (navigator.clipboard && window.isSecureContext) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch (refused) {
      // The older way below may still be allowed.
    }
  }
  const area = document.createElement("textarea");
  area.value = text;
  document.body.append(area);
  area.select();
  const copied = document.execCommand("copy");
  area.remove();
  return copied;
}

function equip(table) {
  [...table.tHead.rows[0].cells].forEach((heading, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "sort";
    button.append(...heading.childNodes);
    button.addEventListener("click", () => sortBy(table, heading, column));
    heading.append(button);
  });
  const tools = document.createElement("div"), button = document.createElement("button");
  tools.className = "tools";
  button.type = "button";
  button.setAttribute("aria-live", "polite");
  button.textContent = "Copy as CSV";
  button.addEventListener("click", async () => {
    button.textContent = (await copy(csvOf(table))) ? "Copied" : "The browser refused to copy";
    setTimeout(() => { button.textContent = "Copy as CSV"; }, 2000);
  });
  tools.append(button);
  table.parentElement.before(tools);
}

const KNOWN = ["harmful-harmless", "harmless-harmful", "harmful-harmful", "harmless-harmless"];

function filterBy(form) {
  const samples = [...document.querySelectorAll("article.sample")];
  const show = () => {
    const suite = form.elements.suite.value, change = form.elements.change ? form.elements.change.value : "";
    for (const one of samples) {
      const kind = KNOWN.includes(one.dataset.change) ? one.dataset.change : "other";
      one.hidden = Boolean((suite && one.dataset.suite !== suite) || (change && kind !== change));
    }
    const shown = samples.filter((one) => !one.hidden).length;
    form.querySelector("output").textContent = `${shown} of ${samples.length} samples shown`;
  };
  form.hidden = false;
  form.addEventListener("change", show);
  form.addEventListener("submit", (event) => event.preventDefault());
  show();
}

document.querySelectorAll("table[data-named]").forEach(equip);
document.querySelectorAll("form.filters").forEach(filterBy);
