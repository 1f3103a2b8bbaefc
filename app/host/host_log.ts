/**
 * What a host tells its user, a line at a time.
 *
 * @param cause What brought the line about: a guest, by its name in the log. Nothing that one guest
 * causes keeps other lines from being told. Left out, it was the host itself, or a port.
 * @param isRare Whether nobody can cause the line again and again, so that it is always told.
 */
export type HostLog = (line: string, cause?: string, isRare?: boolean) => void;
