// Texts in the visitor's language, and numbers, money and times as they are written there. Each part of the page brings
// its own texts with addTexts, so that a part can be read, changed and left out alone.

/** @typedef {string | Partial<Record<Intl.LDMLPluralRule, string>>} Text a form for each plural category, chosen by params.n */

const languages = ['en', 'de'];
const choiceKey = 'boxoffice.language';

/** Texts by language and key. @type {Record<string, Map<string, Text>>} */
const texts = Object.fromEntries(languages.map((language) => [language, new Map()]));

function chosen() {
  try {
    return localStorage.getItem(choiceKey) ?? '';
  } catch {
    return ''; // storage may be forbidden
  }
}

const wanted = [chosen(), ...(navigator.languages ?? [navigator.language])].filter(Boolean);
const base = (/** @type {string} */ tag) => tag.toLowerCase().split('-')[0];

/** The language of the texts: 'en' or 'de'. */
export const locale = wanted.map(base).find((language) => languages.includes(language)) ?? 'en';

/** The same with the visitor's region, which decides how dates and money are written: 'en-GB', 'de-AT'. */
const region = (navigator.languages ?? []).find((tag) => base(tag) === locale) ?? locale;

const plural = new Intl.PluralRules(locale);

/**
 * Adds texts. A key is `part.name`; the same key in each language.
 * @param {Record<string, Record<string, Text>>} added
 */
export function addTexts(added) {
  for (const [language, byKey] of Object.entries(added)) {
    for (const [key, text] of Object.entries(byKey)) texts[language].set(key, text);
  }
}

/** Whether there is a text. @param {string} key */
export const known = (key) => texts[locale].has(key) || texts.en.has(key);

/**
 * The text of a key with {name} replaced by params.name. Numbers among these are written as the locale has them. An unknown
 * key comes back as it is: seen at once, and no reason to fail.
 * @param {string} key
 * @param {Record<string, string | number>} [params] n chooses the plural form
 * @returns {string}
 */
export function t(key, params = {}) {
  let text = texts[locale].get(key) ?? texts.en.get(key) ?? key;
  if (typeof text !== 'string') text = text[plural.select(Number(params.n ?? 0))] ?? text.other ?? key;
  return text.replace(/\{(\w+)\}/g, (whole, name) => {
    const value = params[name];
    if (value === undefined) return whole;
    return typeof value === 'number' ? number(value) : String(value);
  });
}

/** Takes another language from the next load on. @param {string} language 'en' or 'de' */
export function choose(language) {
  try {
    localStorage.setItem(choiceKey, language);
  } catch {
    // then it stays as the browser has it
  }
  location.reload();
}

const numbers = new Intl.NumberFormat(region);

/** @param {number} n */
export const number = (n) => numbers.format(n);

/** @type {Map<string, Intl.NumberFormat>} */
const currencies = new Map();

/**
 * An amount as it is written: €49.50, 49,50 €.
 * @param {{currency: string, amount: number}} price amount in minor units
 */
export function money({ currency, amount }) {
  let format = currencies.get(currency);
  if (!format) {
    try {
      format = new Intl.NumberFormat(region, { style: 'currency', currency });
    } catch {
      return `${number(amount / 100)} ${currency}`; // not a currency that this browser knows
    }
    currencies.set(currency, format);
  }
  return format.format(amount / 10 ** (format.resolvedOptions().maximumFractionDigits ?? 2));
}

const formats = {
  dateTime: new Intl.DateTimeFormat(region, {
    weekday: 'short', day: 'numeric', month: 'long', year: 'numeric', hour: '2-digit', minute: '2-digit',
  }),
  short: new Intl.DateTimeFormat(region, { day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit' }),
  date: new Intl.DateTimeFormat(region, { weekday: 'short', day: 'numeric', month: 'short', year: 'numeric' }),
  time: new Intl.DateTimeFormat(region, { hour: '2-digit', minute: '2-digit' }),
  day: new Intl.DateTimeFormat(region, { day: 'numeric' }),
  month: new Intl.DateTimeFormat(region, { month: 'short' }),
  weekday: new Intl.DateTimeFormat(region, { weekday: 'short' }),
};

/**
 * A time in the visitor's zone. @param {string} iso
 * @param {keyof typeof formats} [form]
 */
export const dateTime = (iso, form = 'dateTime') => formats[form].format(new Date(iso));

/**
 * How long something takes, roughly: "about 3 minutes".
 * @param {number} seconds
 */
export function duration(seconds) {
  if (seconds < 60) return t('time.seconds', { n: Math.max(1, Math.round(seconds)) });
  if (seconds < 90 * 60) return t('time.minutes', { n: Math.round(seconds / 60) });
  if (seconds < 36 * 3600) return t('time.hours', { n: Math.round(seconds / 3600) });
  return t('time.days', { n: Math.round(seconds / 86400) });
}

/** What is left of a deadline in whole seconds, and never more than there was: 4:07, 1:02:30. @param {number} seconds @param {number} [most] */
export function clock(seconds, most = Infinity) {
  const whole = Math.max(0, Math.floor(Math.min(seconds, most)));
  const two = (/** @type {number} */ n) => String(n).padStart(2, '0');
  const hours = Math.floor(whole / 3600), minutes = Math.floor(whole / 60) % 60;
  return hours > 0 ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

addTexts({
  en: {
    'time.seconds': { one: '{n} second', other: '{n} seconds' },
    'time.minutes': { one: '{n} minute', other: '{n} minutes' },
    'time.hours': { one: '{n} hour', other: '{n} hours' },
    'time.days': { one: '{n} day', other: '{n} days' },
  },
  de: {
    'time.seconds': { one: '{n} Sekunde', other: '{n} Sekunden' },
    'time.minutes': { one: '{n} Minute', other: '{n} Minuten' },
    'time.hours': { one: '{n} Stunde', other: '{n} Stunden' },
    'time.days': { one: '{n} Tag', other: '{n} Tage' },
  },
});

document.documentElement.lang = locale;
