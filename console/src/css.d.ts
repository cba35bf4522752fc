/** Styles of a section: Vite makes a file of them that is fetched with it. */
declare module '*.css';
