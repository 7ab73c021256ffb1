/** True when the header carries a bearer key, and the right one if only one is. */
export function authorize(header: string | undefined, key: string | undefined): boolean {
  const sent = /^Bearer +(\S.*)$/i.exec(header ?? "")?.[1];
  return sent !== undefined && (key === undefined || sent === key);
}
