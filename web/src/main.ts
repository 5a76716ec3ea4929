import '@cds/core/styles/module.tokens.css';
import '@cds/core/styles/theme.dark.min.css';
import '@cds/core/styles/module.reset.min.css';
import 'uplot/dist/uPlot.min.css';
import './look/console.css';
import { mount } from 'svelte';
import App from './App.svelte';

mount(App, { target: document.getElementById('console')! });
