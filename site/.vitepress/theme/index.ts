// The fonts of the system: nothing is fetched from elsewhere, and the site works offline.
import Theme from 'vitepress/theme-without-fonts'

export default Theme
