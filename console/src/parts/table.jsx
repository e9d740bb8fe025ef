// SPDX-License-Identifier: Apache-2.0
// A table whose rows can be chosen with the keyboard; on a small screen each row is a card.
export function Table({ caption, columns, rows, chosen, onChoose, empty }) {
  if (!rows.length) return <p class="quiet">{empty || "none"}</p>;
  return (
    <table>
      {caption && <caption>{caption}</caption>}
      <thead>
        <tr>{columns.map((c) => <th key={c.head} class={c.number ? "number" : ""} scope="col">{c.head}</th>)}</tr>
      </thead>
      <tbody>
        {rows.map((row, i) => {
          const key = row.key || row.id || row.name || i;
          const choose = onChoose && (() => onChoose(row));
          return (
            <tr
              key={key}
              class={onChoose ? (chosen === key ? "row chosen" : "row") : ""}
              tabIndex={onChoose ? 0 : undefined}
              aria-selected={onChoose ? chosen === key : undefined}
              onClick={choose}
              onKeyDown={onChoose && ((e) => (e.key === "Enter" || e.key === " ") && (e.preventDefault(), choose()))}
            >
              {columns.map((c) => (
                <td key={c.head} data-head={c.head} class={c.number ? "number" : ""}>{c.cell(row)}</td>
              ))}
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}

export function Copy({ text }) {
  const copy = async (e) => {
    const button = e.currentTarget;
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "copied";
    } catch {
      button.textContent = "select it";
    }
    setTimeout(() => (button.textContent = "copy"), 1500);
  };
  return (
    <div class="copy">
      <pre>{text}</pre>
      <button type="button" onClick={copy}>copy</button>
    </div>
  );
}

export function Card({ title, children, extra, wide }) {
  return (
    <section class={wide ? "card wide" : "card"}>
      <header><h2>{title}</h2>{extra}</header>
      {children}
    </section>
  );
}
