// Times in the reader's own zone, durations that tick.
const short = new Intl.DateTimeFormat("en", { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;

export function localiseTimes(root) {
  for (const time of root.querySelectorAll("time[datetime]:not([data-local])")) {
    const at = new Date(time.dateTime);
    if (Number.isNaN(at.getTime())) continue;
    time.dataset.local = "";
    if (!("exact" in time.dataset)) {
      time.title = time.dateTime.replace("T", " ").replace("Z", " UTC");
      time.textContent = short.format(at);
    }
  }
  const said = document.querySelector("[data-zone]");
  if (said) said.textContent = zone === "UTC" ? "Times are UTC." : `Times are ${zone}; exact ones are UTC.`;
}

export function tick() {
  for (const each of document.querySelectorAll("[data-since]")) {
    each.textContent = duration(Date.now() - Date.parse(each.dataset.since));
  }
}

export function duration(milliseconds) {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ${Math.floor(seconds / 60) % 60} min`;
  return `${Math.floor(seconds / 86400)} d ${Math.floor(seconds / 3600) % 24} h`;
}
