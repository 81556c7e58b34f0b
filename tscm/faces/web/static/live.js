/* Lines as they come: one stream for all windows of a browser that follow the same. */
(() => {
  "use strict";
  const section = document.getElementById("live-lines");
  const rows = document.getElementById("lines");
  const url = section ? section.dataset.stream : "";
  if (!url || !rows || !window.EventSource) return;
  const MOST = 500;
  const state = document.getElementById("live-state");
  const fault = document.getElementById("live-fault");
  const count = document.getElementById("live-count");
  const missed = document.getElementById("live-missed");
  const pause = document.getElementById("pause");
  let paused = false, shown = rows.children.length, left = 0, unread = 0;

  const cell = (row, name, text) => {
    const made = document.createElement("td");
    made.className = name;
    made.textContent = text;
    row.append(made);
    return made;
  };
  const add = (one) => {
    const row = document.createElement("tr");
    const time = document.createElement("time");
    time.title = one.title;
    time.textContent = one.at || "?";
    cell(row, "fit", "").append(time);
    const link = document.createElement("a");
    link.href = "/devices/" + encodeURIComponent(one.device);
    link.textContent = one.device;
    cell(row, "fit", "").append(link);
    cell(row, "what " + one.kind, one.what);
    cell(row, "mono break", one.line);
    rows.prepend(row);
  };
  const tell = () => {
    const parts = [];
    if (left) parts.push(left.toLocaleString("en") + " lines left out");
    if (unread) parts.push(unread.toLocaleString("en") + " bytes not looked at");
    missed.textContent = parts.length ? "; " + parts.join(", ") : "";
  };
  const take = (kind, data) => {
    if (kind === "begin") {
      if (paused) return;
      rows.replaceChildren();
      for (const one of data.rows) add(one);
      shown = data.rows.length;
      state.textContent = "following";
    } else if (kind === "lines") {
      shown += data.rows.length;
      left += data.left_out;
      unread += data.unread_bytes;
      if (paused) left += data.rows.length;
      else for (const one of data.rows) add(one);
      while (rows.children.length > MOST) rows.lastElementChild.remove();
    } else if (kind === "missed") {
      left += data;
    } else if (kind === "fault") {
      fault.textContent = data;
      fault.hidden = !data;
    } else if (kind === "over") {
      state.textContent = "stopped";
      fault.textContent = "The stream has ended: " + data + ".";
      fault.hidden = false;
    }
    tell();
  };
  /* Who listens is told now and then, never line by line. */
  setInterval(() => { count.textContent = shown.toLocaleString("en") + " lines since this page was opened"; }, 10000);

  pause.hidden = false;
  const toggle = () => {
    paused = !paused;
    pause.setAttribute("aria-pressed", paused ? "true" : "false");
    state.textContent = paused ? "paused; lines are counted" : "following";
  };
  pause.addEventListener("click", toggle);

  const channel = new BroadcastChannel("tscm " + url);
  channel.addEventListener("message", (event) => take(event.data.kind, event.data.data));
  const lead = () => new Promise((done) => {
    const source = new EventSource(url);
    for (const kind of ["begin", "lines", "missed", "fault", "over"]) {
      source.addEventListener(kind, (event) => {
        const data = JSON.parse(event.data);
        take(kind, data);
        channel.postMessage({ kind, data });
        if (kind === "over") {
          source.close();
          done();
        }
      });
    }
    source.addEventListener("error", () => {
      if (source.readyState === EventSource.CLOSED) {
        take("over", "the page does not answer, or the session has ended");
        done();
      } else {
        state.textContent = "connecting again";
      }
    });
    window.addEventListener("pagehide", () => { source.close(); done(); });
  });
  navigator.locks.request("tscm " + url, lead);
})();
