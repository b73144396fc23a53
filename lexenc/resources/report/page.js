"use strict";
// Everything can be read without this script; it sorts and filters tables and names the marks of charts.
(() => {
  const value = (row, column) => {
    const cell = row.cells[column];
    return cell.dataset.order === undefined ? cell.textContent.trim() : Number(cell.dataset.order);
  };
  const compare = (left, right) =>
    typeof left === "number" && typeof right === "number" ? left - right : String(left).localeCompare(String(right));

  const sort = (table, heads, column) => {
    const numeric = heads[column].classList.contains("number");
    const was = heads[column].getAttribute("aria-sort");
    const down = was === null || was === "none" ? numeric : was === "ascending";
    heads.forEach((head) => head.removeAttribute("aria-sort"));
    heads[column].setAttribute("aria-sort", down ? "descending" : "ascending");
    const body = table.tBodies[0];
    const rows = [...body.rows].map((row, place) => ({ row, place, key: value(row, column) }));
    rows.sort((a, b) => (down ? compare(b.key, a.key) : compare(a.key, b.key)) || a.place - b.place);
    body.append(...rows.map((each) => each.row));
  };

  document.querySelectorAll("table").forEach((table) => {
    const heads = [...table.tHead.rows[0].cells];
    if (table.tBodies[0].rows.length < 2 || table.dataset.saved) return;
    heads.forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = head.textContent;
      head.replaceChildren(button);
      button.addEventListener("click", () => sort(table, heads, column));
    });
  });

  document.querySelectorAll("table[data-search]").forEach((table) => {
    const line = table.closest(".scroll").previousElementSibling;
    const box = line.querySelector("input");
    const told = line.querySelector("output");
    line.hidden = false;
    const rows = [...table.tBodies[0].rows].map((row) => ({ row, text: row.textContent.toLowerCase() }));
    box.addEventListener("input", () => {
      const wanted = box.value.toLowerCase().trim();
      let shown = 0;
      rows.forEach(({ row, text }) => {
        row.hidden = !text.includes(wanted);
        shown += row.hidden ? 0 : 1;
      });
      told.textContent = wanted ? `${shown} of ${rows.length} rows` : "";
    });
  });

  // A cell that a spreadsheet could take for a formula begins with an apostrophe, which read-review removes.
  const csv = (text) => `"${text.replace(/^(?=\s*'*[=+\-@])/, "'").replaceAll('"', '""')}"`;
  document.querySelectorAll("table[data-saved]").forEach((table) => {
    const line = table.closest(".scroll").nextElementSibling;
    line.hidden = false;
    line.querySelector("button").addEventListener("click", () => {
      const text = (cell) => (cell.querySelector("input, select") || { value: cell.textContent.trim() }).value;
      const rows = [...table.rows].map((row) => [...row.cells].map((cell) => csv(text(cell))).join(","));
      const link = document.createElement("a");
      link.href = URL.createObjectURL(new Blob(["\ufeff", rows.join("\r\n"), "\r\n"], { type: "text/csv" }));
      link.download = table.dataset.saved;
      link.click();
      line.querySelector("output").textContent = `${rows.length - 1} rows saved`;
    });
  });

  document.querySelectorAll(".chart").forEach((chart) => {
    const tip = document.createElement("div");
    tip.className = "tip";
    tip.hidden = true;
    tip.setAttribute("role", "status");
    chart.append(tip);
    const drawings = [...chart.querySelectorAll("svg")].map((svg) => ({
      svg,
      marks: [...svg.querySelectorAll(".role-mark [aria-label]")],
    }));
    let place = -1;
    const clear = () => {
      tip.hidden = true;
      place = -1;
      drawings.forEach(({ svg, marks }) => {
        svg.classList.remove("chosen");
        marks.forEach((mark) => mark.classList.remove("chosen"));
      });
    };
    const show = (mark, { svg, marks }) => {
      const label = mark.getAttribute("aria-label");
      const alike = marks.filter((each) => each.getAttribute("aria-label") === label);
      marks.forEach((each) => each.classList.toggle("chosen", alike.includes(each)));
      svg.classList.toggle("chosen", alike.length > 1);
      tip.textContent = label;
      tip.hidden = false;
      const box = mark.getBoundingClientRect();
      const frame = chart.getBoundingClientRect();
      const left = box.left + box.width / 2 - frame.left - tip.offsetWidth / 2;
      const above = box.top - frame.top - tip.offsetHeight - 8;
      // style.left and the like are allowed by the policy, which forbids style attributes only where they are parsed.
      tip.style.left = `${Math.max(0, Math.min(left, frame.width - tip.offsetWidth))}px`;
      tip.style.top = `${above < 0 ? box.bottom - frame.top + 8 : above}px`;
    };
    const named = (target) => target instanceof Element && target.closest(".role-mark [aria-label]");
    drawings.forEach((drawing) => {
      drawing.svg.addEventListener("pointerover", (event) => {
        const mark = named(event.target);
        if (mark) show(mark, drawing);
        else clear();
      });
      drawing.svg.addEventListener("pointerleave", clear);
    });
    chart.addEventListener("blur", clear);
    chart.addEventListener("keydown", (event) => {
      const drawing = drawings.find(({ svg }) => svg.getBoundingClientRect().width > 0);
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (event.key === "Escape") clear();
      if (step === undefined || !drawing || !drawing.marks.length) return;
      event.preventDefault();
      const count = drawing.marks.length;
      const next = (place < 0 ? (step > 0 ? 0 : count - 1) : place + step + count) % count;
      show(drawing.marks[next], drawing);
      place = next;
    });
  });
})();
