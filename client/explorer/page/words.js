// Values in words. Everything here is text, and stays text.

const UNITS = [
  ["d", 86_400],
  ["h", 3_600],
  ["min", 60],
  ["s", 1],
];

// A duration in its two largest units.
export function duration(ms) {
  const seconds = Math.max(0, Math.round(ms / 1_000));
  const first = UNITS.findIndex(([, size]) => seconds >= size);
  if (first < 0) {
    return "0 s";
  }
  const [unit, size] = UNITS[first];
  const next = UNITS[first + 1];
  const whole = `${Math.floor(seconds / size)} ${unit}`;
  const part = next === undefined ? 0 : Math.floor((seconds % size) / next[1]);
  return part === 0 ? whole : `${whole} ${part} ${next[0]}`;
}

export function ago(ms) {
  const past = Date.now() - ms;
  return past >= 0 ? `${duration(past)} ago` : `in ${duration(-past)}`;
}

// A time by this machine's clock; with the day where it isn't today.
export function clock(ms) {
  const time = new Date(ms);
  const of_day = time.toLocaleTimeString([], { hour12: false });
  const is_today = time.toDateString() === new Date().toDateString();
  const two = (number) => String(number).padStart(2, "0");
  const day = `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())}`;
  return is_today ? of_day : `${day} ${of_day}`;
}

export function bytes(count) {
  if (count < 1_024) {
    return `${count} B`;
  }
  const [unit, size] = [
    ["GiB", 2 ** 30],
    ["MiB", 2 ** 20],
    ["KiB", 2 ** 10],
  ].find(([, size]) => count >= size);
  const value = count / size;
  return `${Number.isInteger(value) ? value : value.toFixed(1)} ${unit}`;
}

export const short = (hex) => (hex.length > 16 ? `${hex.slice(0, 8)}…${hex.slice(-4)}` : hex);

export const count = (number, one, many) => `${number.toLocaleString("en")} ${number === 1 ? one : many}`;

// Parties by their indices, the first of them by name.
export function parties(indices, named = 12) {
  const list = indices.slice(0, named).join(", ");
  const rest = indices.length - named;
  const which = rest > 0 ? `${list} and ${rest.toLocaleString("en")} more` : list;
  return `${indices.length === 1 ? "party" : "parties"} ${which}`;
}

export const OFFENCES = {
  equivocation: "signed two different entries for one slot",
  bad_payload: "sent a p2p payload that was proven bad",
  false_complaint: "made a complaint that was proven false",
};

export const STATES = {
  connecting: "connecting",
  answers: "answers",
  unreachable: "unreachable",
  lied: "lied",
  stranger: "another network",
  failed: "the page failed",
};

export const isLive = (status) => ["joining", "running", "dispute"].includes(status);
