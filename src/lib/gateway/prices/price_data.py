"""Made by tools/make_prices.py from litellm 1.109.1 (MIT licence). Do not edit."""

VERSION = "litellm-1.109.1"

# A model a line: name, nano-dollars a token for input, output, cached input; most tokens in, most out.
# Then, where there is such: what a token costs that is written to a cache; a service tier's price of input,
# output, cached input and input written to a cache; with + in a call with more input tokens than `after`.
TABLES = {
    "openai": """\
chat-latest 5000 30000 500 400000 128000
computer-use-preview 3000 12000 - 8192 1024
computer-use-preview-2025-03-11 3000 12000 - 8192 1024
daybreak-blue-latest 4000 20000 400 922000 128000 write=5000 usual+=8000,30000,800,10000 after=272000
daybreak-red-latest 12500 75000 1250 400000 128000 write=15625 usual+=25000,112500,2500,31250 after=272000
ft:gpt-3.5-turbo 3000 6000 - 16385 4096
ft:gpt-3.5-turbo-0125 3000 6000 - 16385 4096
ft:gpt-3.5-turbo-0613 3000 6000 - 4096 4096
ft:gpt-3.5-turbo-1106 3000 6000 - 16385 4096
ft:gpt-4-0613 30000 60000 - 8192 4096
ft:gpt-4.1-2025-04-14 3000 12000 750 1047576 32768
ft:gpt-4.1-mini-2025-04-14 800 3200 200 1047576 32768
ft:gpt-4.1-nano-2025-04-14 200 800 50 1047576 32768
ft:gpt-4o-2024-08-06 3750 15000 1875 128000 16384
ft:gpt-4o-2024-11-20 3750 15000 - 128000 16384
ft:gpt-4o-mini-2024-07-18 300 1200 150 128000 16384
ft:o4-mini-2025-04-16 4000 16000 1000 200000 100000
gpt-3.5-turbo 500 1500 - 16385 4096
gpt-3.5-turbo-0125 500 1500 - 16385 4096
gpt-3.5-turbo-1106 1000 2000 - 16385 4096
gpt-3.5-turbo-16k 3000 4000 - 16385 4096
gpt-4 30000 60000 - 8192 4096
gpt-4-0613 30000 60000 - 8192 4096
gpt-4-1106-preview 10000 30000 - 128000 4096
gpt-4-turbo 10000 30000 - 128000 4096
gpt-4-turbo-2024-04-09 10000 30000 - 128000 4096
gpt-4.1 2000 8000 500 1047576 32768 priority=3500,14000,875,3500
gpt-4.1-2025-04-14 2000 8000 500 1047576 32768 priority=3500,14000,875,3500
gpt-4.1-mini 400 1600 100 1047576 32768 priority=700,2800,175,700
gpt-4.1-mini-2025-04-14 400 1600 100 1047576 32768 priority=700,2800,175,700
gpt-4.1-nano 100 400 25 1047576 32768 priority=200,800,50,200
gpt-4.1-nano-2025-04-14 100 400 25 1047576 32768 priority=200,800,50,200
gpt-4o 2500 10000 1250 128000 16384 priority=4250,17000,2125,4250
gpt-4o-2024-05-13 5000 15000 - 128000 4096 priority=8750,26250,8750,8750
gpt-4o-2024-08-06 2500 10000 1250 128000 16384 priority=4250,17000,2125,4250
gpt-4o-2024-11-20 2500 10000 1250 128000 16384 priority=4250,17000,2125,4250
gpt-4o-mini 150 600 75 128000 16384 priority=250,1000,125,250
gpt-4o-mini-2024-07-18 150 600 75 128000 16384 priority=250,1000,125,250
gpt-5 1250 10000 125 272000 128000 flex=625,5000,63,625 priority=2500,20000,250,2500
gpt-5-2025-08-07 1250 10000 125 272000 128000 flex=625,5000,63,625 priority=2500,20000,250,2500
gpt-5-chat 1250 10000 125 128000 16384
gpt-5-chat-latest 1250 10000 125 128000 16384
gpt-5-mini 250 2000 25 272000 128000 flex=125,1000,13,125 priority=450,3600,45,450
gpt-5-mini-2025-08-07 250 2000 25 272000 128000 flex=125,1000,13,125 priority=450,3600,45,450
gpt-5-nano 50 400 5 272000 128000 flex=25,200,3,25
gpt-5-nano-2025-08-07 50 400 5 272000 128000 flex=25,200,3,25
gpt-5.1 1250 10000 125 272000 128000 flex=625,5000,63,625 priority=2500,20000,250,2500
gpt-5.1-2025-11-13 1250 10000 125 272000 128000 flex=625,5000,63,625 priority=2500,20000,250,2500
gpt-5.1-chat-latest 1250 10000 125 128000 16384
gpt-5.2 1750 14000 175 272000 128000 flex=875,7000,88,875 priority=3500,28000,350,3500
gpt-5.2-2025-12-11 1750 14000 175 272000 128000 flex=875,7000,88,875 priority=3500,28000,350,3500
gpt-5.2-chat-latest 1750 14000 175 128000 16384
gpt-5.3-chat-latest 1750 14000 175 128000 16384
gpt-5.4 2500 15000 250 1050000 128000 usual+=5000,22500,500,5000 flex=1250,7500,130,1250 flex+=2500,11250,250,2500 priority=5000,30000,500,5000 after=272000
gpt-5.4-2026-03-05 2500 15000 250 1050000 128000 usual+=5000,22500,500,5000 flex=1250,7500,130,1250 flex+=2500,11250,250,2500 priority=5000,30000,500,5000 after=272000
gpt-5.4-mini 750 4500 75 272000 128000 flex=375,2250,38,375 priority=1500,9000,150,1500
gpt-5.4-mini-2026-03-17 750 4500 75 272000 128000 flex=375,2250,38,375 priority=1500,9000,150,1500
gpt-5.4-nano 200 1250 20 272000 128000 flex=100,625,10,100
gpt-5.4-nano-2026-03-17 200 1250 20 272000 128000 flex=100,625,10,100
gpt-5.5 5000 30000 500 1050000 128000 usual+=10000,45000,1000,10000 flex=2500,15000,250,2500 flex+=5000,22500,500,5000 priority=12500,75000,1250,12500 after=272000
gpt-5.5-2026-04-23 5000 30000 500 1050000 128000 usual+=10000,45000,1000,10000 flex=2500,15000,250,2500 flex+=5000,22500,500,5000 priority=12500,75000,1250,12500 after=272000
gpt-5.5-cyber 12500 75000 1250 - -
gpt-5.5-cyber-preview 12500 75000 1250 - -
gpt-5.6 4000 20000 400 922000 128000 write=10000 usual+=8000,30000,800,20000 flex=2000,10000,200,5000 flex+=4000,15000,400,10000 priority=8000,40000,800,20000 priority+=16000,60000,1600,40000 after=272000
gpt-5.6-cyber 12500 75000 1250 400000 128000 write=31250 usual+=25000,112500,2500,31250 after=272000
gpt-5.6-luna 200 1200 20 922000 128000 write=500 usual+=400,1800,40,1000 flex=100,600,10,250 flex+=200,900,20,500 priority=400,2400,40,1000 priority+=800,3600,80,2000 after=272000
gpt-5.6-sol 4000 20000 400 922000 128000 write=10000 usual+=8000,30000,800,20000 flex=2000,10000,200,5000 flex+=4000,15000,400,10000 priority=8000,40000,800,20000 priority+=16000,60000,1600,40000 after=272000
gpt-5.6-terra 2000 12000 200 922000 128000 write=5000 usual+=4000,18000,400,10000 flex=1000,6000,100,2500 flex+=2000,9000,200,5000 priority=4000,24000,400,10000 priority+=8000,36000,800,20000 after=272000
gpt-6-astra 10000 50000 1000 922000 128000 write=25000 usual+=20000,75000,2000,50000 flex=5000,25000,500,12500 flex+=10000,37500,1000,25000 priority=20000,100000,2000,50000 priority+=40000,150000,4000,100000 ultrafast=60000,300000,6000,150000 ultrafast+=120000,450000,12000,300000 after=272000
gpt-6-astra-law 10000 50000 1000 922000 128000
gpt-6-luna 100 500 10 922000 128000 write=250 usual+=200,750,20,500 flex=50,250,5,125 flex+=100,375,10,250 priority=200,1000,20,500 priority+=400,1500,40,1000 after=272000
gpt-6-rosalind 15000 75000 1500 922000 128000 write=37500 usual+=30000,112500,3000,75000 after=272000
gpt-6-sol 2000 10000 200 922000 128000 write=5000 usual+=4000,15000,400,10000 flex=1000,5000,100,2500 flex+=2000,7500,200,5000 priority=4000,20000,400,10000 priority+=8000,30000,800,20000 after=272000
gpt-6.1-sol 2000 10000 100 922000 128000 write=5000 usual+=4000,15000,200,10000 flex=1000,5000,50,2500 flex+=2000,7500,100,5000 priority=4000,20000,200,10000 priority+=8000,30000,400,20000 ultrafast=12000,60000,600,30000 ultrafast+=24000,90000,1200,60000 after=272000
gpt-6.1-terra 1000 5000 50 922000 128000 write=2500 usual+=2000,7500,100,5000 flex=500,2500,25,1250 flex+=1000,3750,50,2500 priority=2000,10000,100,5000 priority+=4000,15000,200,10000 after=272000
gpt-rosalind-discovery 5000 25000 500 - -
gpt-rosalind-research 5000 25000 500 - -
o1 15000 60000 7500 200000 100000
o1-2024-12-17 15000 60000 7500 200000 100000
o3 2000 8000 500 200000 100000 flex=1000,4000,250,1000 priority=3500,14000,875,3500
o3-2025-04-16 2000 8000 500 200000 100000 flex=1000,4000,250,1000 priority=3500,14000,875,3500
o3-mini 1100 4400 550 200000 100000
o3-mini-2025-01-31 1100 4400 550 200000 100000
o4-mini 1100 4400 275 200000 100000 flex=550,2200,138,550 priority=2000,8000,500,2000
o4-mini-2025-04-16 1100 4400 275 200000 100000 flex=550,2200,138,550 priority=2000,8000,500,2000
text-embedding-3-large 130 0 - - -
text-embedding-3-small 20 0 - - -
text-embedding-ada-002 100 0 - - -
text-embedding-ada-002-v2 100 0 - - -
""",
    "groq": """\
llama-guard-3-8b 200 200 - 8192 8192
meta-llama/llama-prompt-guard-2-22m 30 30 - 512 512
meta-llama/llama-prompt-guard-2-86m 40 40 - 512 512
openai/gpt-oss-120b 150 600 75 131072 65536
openai/gpt-oss-20b 75 300 38 131072 65536
openai/gpt-oss-safeguard-20b 75 300 37 131072 65536
qwen/qwen3.8-27b 800 4000 - 131072 16384
""",
    "mistral": """\
codestral-2508 300 900 30 128000 128000
codestral-embed 150 0 15 - -
codestral-embed-2505 150 0 15 - -
codestral-latest 300 900 30 128000 128000
codestral-mamba-latest 250 250 25 256000 256000
deepseek-v4-1-flash-1017 300 1200 7 1048576 131072
devstral-latest 400 2000 40 256000 256000
devstral-medium-latest 400 2000 40 256000 256000
devstral-small-latest 100 300 10 256000 256000
glm-5-2 1400 4400 140 1048576 131072
labs-leanstral-1-5 0 0 - 262144 131072
labs-leanstral-1-5-1 0 0 - 262144 131072
magistral-medium-latest 1500 7500 150 262144 262144
magistral-small-latest 150 600 15 262144 262144
ministral-14b-2512 200 200 20 262144 262144
ministral-14b-latest 200 200 20 262144 262144
ministral-3-14b-2512 200 200 20 262144 262144
ministral-3-3b-2512 100 100 10 131072 131072
ministral-3-8b-2512 150 150 15 262144 262144
ministral-3b-2512 100 100 10 131072 131072
ministral-3b-latest 100 100 10 131072 131072
ministral-8b-2512 150 150 15 262144 262144
ministral-8b-latest 150 150 15 262144 262144
mistral-code-agent-latest 400 2000 40 256000 256000
mistral-code-fim-latest 300 900 30 128000 128000
mistral-code-latest 300 900 30 128000 128000
mistral-embed 100 0 - - -
mistral-embed-2312 100 0 - - -
mistral-large-2512 500 1500 50 262144 262144
mistral-large-3 500 1500 50 262144 262144
mistral-large-4 1360 4180 140 1048576 1048576
mistral-large-4-0 1360 4180 140 1048576 1048576
mistral-large-latest 500 1500 50 262144 262144
mistral-medium 1500 7500 150 262144 262144
mistral-medium-2604 1500 7500 150 262144 262144
mistral-medium-3 1500 7500 150 262144 262144
mistral-medium-3-5 1500 7500 150 262144 262144
mistral-medium-3.5 1500 7500 150 262144 262144
mistral-medium-latest 1500 7500 150 262144 262144
mistral-small 100 300 10 32000 8191
mistral-small-2603 150 600 15 262144 262144
mistral-small-latest 150 600 15 262144 262144
mistral-tiny 250 250 25 32000 8191
mistral-vibe-cli-fast 150 600 15 262144 262144
mistral-vibe-cli-latest 1500 7500 150 262144 262144
mistral-vibe-cli-with-tools 1500 7500 150 262144 262144
open-mistral-nemo 300 300 30 128000 128000
pixtral-large-latest 2000 6000 200 128000 128000
voxtral-small-2507 100 400 10 32768 32768
voxtral-small-latest 100 400 10 32768 32768
zai-glm-5 1400 4400 140 1048576 131072
zai-glm-5-2 1400 4400 140 1048576 131072
zai-glm-5-3 1400 4400 140 1048576 131072
zai-glm-5-3-flash 150 500 30 1048576 131072
zai-glm-latest 1400 4400 140 1048576 131072
""",
    "deepseek": """\
deepseek-chat 280 420 28 131072 8192
deepseek-coder 140 280 14 128000 4096
deepseek-flash 300 1200 6 1000000 393216
deepseek-r1 550 2190 140 65536 8192
deepseek-reasoner 280 420 28 131072 65536
deepseek-v3 270 1100 70 65536 8192
deepseek-v3.2 280 400 28 163840 163840
deepseek-v4-flash 300 1200 6 1000000 393216
deepseek-v4-flash-vision-exp 300 1200 6 1000000 393216
deepseek-v4-pro 1320 3960 44 1000000 393216
""",
    "xai": """\
grok-4.20 1250 2500 200 1000000 1000000 usual+=2500,5000,400,2500 after=200000
grok-4.20-0309 1250 2500 200 1000000 1000000 usual+=2500,5000,400,2500 after=200000
grok-4.20-0309-non-reasoning 1250 2500 200 1000000 1000000 usual+=2500,5000,400,2500 after=200000
grok-4.20-0309-reasoning 1250 2500 200 1000000 1000000 usual+=2500,5000,400,2500 after=200000
grok-4.20-beta 1250 2500 200 1000000 1000000 usual+=2500,5000,400,2500 after=200000
grok-4.20-beta-0309 1250 2500 200 1000000 1000000 usual+=2500,5000,400,2500 after=200000
grok-4.20-beta-0309-non-reasoning 1250 2500 200 1000000 1000000 usual+=2500,5000,400,2500 after=200000
grok-4.20-beta-0309-reasoning 1250 2500 200 1000000 1000000 usual+=2500,5000,400,2500 after=200000
grok-4.20-beta-latest 1250 2500 200 1000000 1000000 usual+=2500,5000,400,2500 after=200000
grok-4.20-beta-latest-non-reasoning 1250 2500 200 1000000 1000000 usual+=2500,5000,400,2500 after=200000
grok-4.20-beta-latest-reasoning 1250 2500 200 1000000 1000000 usual+=2500,5000,400,2500 after=200000
grok-4.20-beta-non-reasoning 1250 2500 200 1000000 1000000 usual+=2500,5000,400,2500 after=200000
grok-4.20-beta-reasoning 1250 2500 200 1000000 1000000 usual+=2500,5000,400,2500 after=200000
grok-4.20-experimental-beta-0304 1250 2500 200 1000000 1000000 usual+=2500,5000,400,2500 after=200000
grok-4.20-experimental-beta-0304-non-reasoning 1250 2500 200 1000000 1000000 usual+=2500,5000,400,2500 after=200000
grok-4.20-experimental-beta-0304-reasoning 1250 2500 200 1000000 1000000 usual+=2500,5000,400,2500 after=200000
grok-4.20-experimental-beta-latest 1250 2500 200 1000000 1000000 usual+=2500,5000,400,2500 after=200000
grok-4.20-experimental-beta-non-reasoning-latest 1250 2500 200 1000000 1000000 usual+=2500,5000,400,2500 after=200000
grok-4.20-experimental-beta-reasoning-latest 1250 2500 200 1000000 1000000 usual+=2500,5000,400,2500 after=200000
grok-4.20-non-reasoning 1250 2500 200 1000000 1000000 usual+=2500,5000,400,2500 after=200000
grok-4.20-non-reasoning-gv2 1250 2500 200 1000000 1000000 usual+=2500,5000,400,2500 after=200000
grok-4.20-non-reasoning-latest 1250 2500 200 1000000 1000000 usual+=2500,5000,400,2500 after=200000
grok-4.20-reasoning 1250 2500 200 1000000 1000000 usual+=2500,5000,400,2500 after=200000
grok-4.20-reasoning-gv2 1250 2500 200 1000000 1000000 usual+=2500,5000,400,2500 after=200000
grok-4.20-reasoning-latest 1250 2500 200 1000000 1000000 usual+=2500,5000,400,2500 after=200000
grok-4.3 1250 2500 200 1000000 1000000 usual+=2500,5000,400,2500 after=200000
grok-4.3-latest 1250 2500 200 1000000 1000000 usual+=2500,5000,400,2500 after=200000
grok-4.5 2000 6000 300 500000 500000 usual+=4000,12000,600,4000 after=200000
grok-4.5-latest 2000 6000 300 500000 500000 usual+=4000,12000,600,4000 after=200000
grok-4.6 2000 6000 500 500000 500000 usual+=4000,12000,1000,4000 after=200000
grok-4.7 2000 6000 500 500000 500000 usual+=4000,12000,1000,4000 after=200000
grok-build-0.1 1000 2000 200 256000 256000 usual+=2000,4000,400,2000 after=200000
grok-build-latest 2000 6000 300 500000 500000 usual+=4000,12000,600,4000 after=200000
grok-code-fast 1000 2000 200 256000 256000 usual+=2000,4000,400,2000 after=200000
grok-code-fast-1 1000 2000 200 256000 256000 usual+=2000,4000,400,2000 after=200000
grok-code-fast-1-0825 1000 2000 200 256000 256000 usual+=2000,4000,400,2000 after=200000
""",
    "together_ai": """\
BAAI/bge-base-en-v1.5 8 0 - - -
MiniMaxAI/MiniMax-M2.7 300 1200 60 196608 -
MiniMaxAI/MiniMax-M3 300 1200 60 524288 524288
MiniMaxAI/MiniMax-M3.1-Flash 150 600 15 1048576 1048576
NousResearch/Nous-Hermes-2-Mixtral-8x7B-DPO 600 600 - 32768 32768
Prism-ML/Ternary-Bonsai-27B 0 0 - 262144 262144
Qwen/QwQ-32B 1200 1200 - 131072 131072
Qwen/Qwen2-1.5B-Instruct 20 20 - 32768 32768
Qwen/Qwen2-72B-Instruct 900 900 - 32768 32768
Qwen/Qwen2-VL-72B-Instruct 1200 1200 - 32768 32768
Qwen/Qwen2.5-14B-Instruct 800 800 - 32768 32768
Qwen/Qwen2.5-72B-Instruct 1200 1200 - 32768 32768
Qwen/Qwen2.5-72B-Instruct-Turbo 1200 1200 - 131072 131072
Qwen/Qwen2.5-7B-Instruct-Turbo 300 300 - 32768 -
Qwen/Qwen2.5-Coder-32B-Instruct 800 800 - 16384 16384
Qwen/Qwen2.5-VL-72B-Instruct 1950 8000 - 32768 32768
Qwen/Qwen3-Coder-480B-A35B-Instruct-FP8 2000 2000 - 262144 262144
Qwen/Qwen3-Coder-Next-FP8 500 1200 - 262144 262144
Qwen/Qwen3-Next-80B-A3B-Instruct 150 1500 - 262144 262144
Qwen/Qwen3-Next-80B-A3B-Thinking 150 1500 - 262144 262144
Qwen/Qwen3-VL-32B-Instruct 500 1500 - 262144 262144
Qwen/Qwen3-VL-8B-Instruct 180 680 - 262144 262144
Qwen/Qwen3.5-397B-A17B 600 3600 350 262144 262144
Qwen/Qwen3.5-9B 170 250 - 262144 262144
Qwen/Qwen3.6-Plus 500 3000 - 1000000 1000000
Qwen/Qwen3.7-Max 1500 4500 300 1000000 1000000
Qwen/Qwen3.7-Plus 320 1280 - 1000000 1000000
Qwen/Qwen3.8-2.4T-A95B 2000 6000 250 1010000 1010000
Qwen/Qwen3.8-Flash 150 470 - 1000000 1000000
arcee-ai/trinity-mini 45 150 - 128000 128000
arize-ai/qwen-2-1.5b-instruct 100 100 - 32768 32768
deepseek-ai/DeepSeek-R1-0528 3000 7000 - 163840 -
deepseek-ai/DeepSeek-R1-Distill-Llama-70B 2000 2000 - 131072 131072
deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B 180 180 - 131072 131072
deepseek-ai/DeepSeek-R1-Distill-Qwen-14B 1600 1600 - 131072 131072
deepseek-ai/DeepSeek-V3 1250 1250 - 65536 8192
deepseek-ai/DeepSeek-V3.1 600 1700 - 131072 131072
deepseek-ai/DeepSeek-V4-Flash-0731 140 280 30 1048576 1048576
deepseek-ai/DeepSeek-V4-Pro-0813 1320 3960 130 1048576 1048576
deepseek-ai/DeepSeek-V4.1-Flash 300 1200 6 1048576 1048576
deepseek-ai/DeepSeek-V4.1-Flash-1017 300 1200 6 1048576 1048576
deepseek-ai/deepseek-coder-33b-instruct 800 800 - 16384 16384
google/gemma-2-27b-it 800 800 - 8192 8192
google/gemma-4-31B-it 390 970 - 262144 262144
meta-llama/Llama-3-8b-chat-hf 200 200 - 8192 8192
meta-llama/Llama-3.1-405B-Instruct 3500 3500 - 4096 4096
meta-llama/Llama-3.2-1B-Instruct 60 60 - 131072 131072
meta-llama/Llama-3.2-3B-Instruct 60 60 - 131072 131072
meta-llama/Llama-3.3-70B-Instruct-Turbo 1040 1040 - 131072 131072
meta-llama/Llama-4-Scout-17B-16E-Instruct 180 590 - 1048576 1048576
meta-llama/Meta-Llama-3-70B-Instruct-Turbo 880 880 - 8192 8192
meta-llama/Meta-Llama-3-8B-Instruct 200 200 - 8192 8192
meta-llama/Meta-Llama-3.1-70B-Instruct-Turbo 880 880 - 131072 131072
meta-llama/Meta-Llama-3.1-8B-Instruct-Turbo 180 180 - 131072 131072
meta-models/Muse-Glimmer-30B 350 1500 40 131072 131072
meta-models/Muse-Spark-Open-816B-A42B 1250 4250 150 1048576 1048576
mistralai/Ministral-3-14B-Instruct-2512 200 200 - 262144 -
mistralai/Mistral-7B-Instruct-v0.1 200 200 - 32768 32768
mistralai/Mistral-7B-Instruct-v0.3 200 200 - 32768 -
mistralai/Mistral-Small-24B-Instruct-2501 100 300 - 32768 32768
mistralai/Mixtral-8x7B-Instruct-v0.1 600 600 - 32768 32768
moonshotai/Kimi-K2-Instruct 1000 3000 - - -
moonshotai/Kimi-K2.5-fp4 500 2800 - 262144 -
moonshotai/Kimi-K2.6 1200 4500 200 262144 262144
moonshotai/Kimi-K2.7-Code 950 4000 190 262144 262144
moonshotai/Kimi-K3 3000 15000 300 1048576 1048576
nvidia/Llama-3.1-Nemotron-70B-Instruct-HF 880 880 - 32768 32768
nvidia/NVIDIA-Nemotron-3.5-Super-VL 150 500 20 262144 262144
nvidia/NVIDIA-Nemotron-Nano-9B-v2 60 250 - 131072 -
nvidia/nemotron-3-ultra-550b-a55b 600 3600 200 512288 512288
openai/gpt-oss-120b 150 600 - 131072 131072
openai/gpt-oss-20b 50 200 - 131072 131072
reflection/Beam-1.0-501B-A23B 400 1200 40 1048576 1048576
thinkingmachines/Inkling 1000 4050 170 524288 524288
together/Tev1-4B-experimental 42 0 - 32768 -
zai-org/GLM-4.5-Air-FP8 200 1100 - 131072 131072
zai-org/GLM-4.6 600 2200 - 202752 202752
zai-org/GLM-4.7 450 2000 - 202752 202752
zai-org/GLM-5 1000 3200 - 202752 202752
zai-org/GLM-5.1 1400 4400 260 202752 202752
zai-org/GLM-5.2 1400 4400 260 1048575 128000
zai-org/GLM-5.3 1400 4400 260 1048575 128000
zai-org/GLM-5.3-Flash 150 500 30 1048575 128000
""",
    "fireworks_ai": """\
accounts/fireworks/models/chronos-hermes-13b-v2 200 200 - 4096 4096
accounts/fireworks/models/code-llama-13b 200 200 - 16384 16384
accounts/fireworks/models/code-llama-13b-instruct 200 200 - 16384 16384
accounts/fireworks/models/code-llama-13b-python 200 200 - 16384 16384
accounts/fireworks/models/code-llama-34b 900 900 - 16384 16384
accounts/fireworks/models/code-llama-34b-instruct 900 900 - 16384 16384
accounts/fireworks/models/code-llama-34b-python 900 900 - 16384 16384
accounts/fireworks/models/code-llama-70b 900 900 - 4096 4096
accounts/fireworks/models/code-llama-70b-instruct 900 900 - 4096 4096
accounts/fireworks/models/code-llama-70b-python 900 900 - 4096 4096
accounts/fireworks/models/code-llama-7b 200 200 - 16384 16384
accounts/fireworks/models/code-llama-7b-instruct 200 200 - 16384 16384
accounts/fireworks/models/code-llama-7b-python 200 200 - 16384 16384
accounts/fireworks/models/code-qwen-1p5-7b 200 200 - 65536 65536
accounts/fireworks/models/codegemma-2b 100 100 - 8192 8192
accounts/fireworks/models/codegemma-7b 200 200 - 8192 8192
accounts/fireworks/models/cogito-671b-v2-p1 1200 1200 - 163840 163840
accounts/fireworks/models/cogito-v1-preview-llama-3b 100 100 - 131072 131072
accounts/fireworks/models/cogito-v1-preview-llama-70b 900 900 - 131072 131072
accounts/fireworks/models/cogito-v1-preview-llama-8b 200 200 - 131072 131072
accounts/fireworks/models/cogito-v1-preview-qwen-14b 200 200 - 131072 131072
accounts/fireworks/models/cogito-v1-preview-qwen-32b 900 900 - 131072 131072
accounts/fireworks/models/dbrx-instruct 1200 1200 - 32768 32768
accounts/fireworks/models/deepseek-coder-1b-base 100 100 - 16384 16384
accounts/fireworks/models/deepseek-coder-33b-instruct 900 900 - 16384 16384
accounts/fireworks/models/deepseek-coder-7b-base 200 200 - 4096 4096
accounts/fireworks/models/deepseek-coder-7b-base-v1p5 200 200 - 4096 4096
accounts/fireworks/models/deepseek-coder-7b-instruct-v1p5 200 200 - 4096 4096
accounts/fireworks/models/deepseek-coder-v2-instruct 1200 1200 - 65536 65536
accounts/fireworks/models/deepseek-coder-v2-lite-base 500 500 - 163840 163840
accounts/fireworks/models/deepseek-coder-v2-lite-instruct 500 500 - 163840 163840
accounts/fireworks/models/deepseek-prover-v2 1200 1200 - 163840 163840
accounts/fireworks/models/deepseek-r1 3000 8000 - 163840 20480
accounts/fireworks/models/deepseek-r1-0528 3000 8000 - 163840 160000
accounts/fireworks/models/deepseek-r1-0528-distill-qwen3-8b 200 200 - 131072 131072
accounts/fireworks/models/deepseek-r1-basic 550 2190 - 163840 20480
accounts/fireworks/models/deepseek-r1-distill-llama-70b 900 900 - 131072 131072
accounts/fireworks/models/deepseek-r1-distill-llama-8b 200 200 - 131072 131072
accounts/fireworks/models/deepseek-r1-distill-qwen-14b 200 200 - 131072 131072
accounts/fireworks/models/deepseek-r1-distill-qwen-1p5b 100 100 - 131072 131072
accounts/fireworks/models/deepseek-r1-distill-qwen-32b 900 900 - 131072 131072
accounts/fireworks/models/deepseek-r1-distill-qwen-7b 200 200 - 131072 131072
accounts/fireworks/models/deepseek-v2-lite-chat 500 500 - 163840 163840
accounts/fireworks/models/deepseek-v2p5 1200 1200 - 32768 32768
accounts/fireworks/models/deepseek-v3 900 900 - 131072 8192
accounts/fireworks/models/deepseek-v3-0324 900 900 - 163840 163840
accounts/fireworks/models/deepseek-v3p1 560 1680 - 128000 8192
accounts/fireworks/models/deepseek-v3p1-terminus 560 1680 - 128000 8192
accounts/fireworks/models/deepseek-v3p2 560 1680 - 163840 163840
accounts/fireworks/models/deepseek-v4-flash 140 280 28 1048576 384000
accounts/fireworks/models/deepseek-v4-flash-0731 220 660 7 1048576 131072 priority=275,825,9,275
accounts/fireworks/models/deepseek-v4-flash-vision-exp 220 660 7 1048576 1048576 priority=275,825,9,275
accounts/fireworks/models/deepseek-v4-pro 1200 1200 600 1048576 131072 priority=1200,1200,600,1200
accounts/fireworks/models/deepseek-v4-pro-0813 1320 3960 44 1048576 131072 priority=1650,4950,55,1650
accounts/fireworks/models/deepseek-v4p1-flash 300 1200 6 1048576 393216 priority=375,1500,8,375
accounts/fireworks/models/deepseek-v4p1-flash-1017 300 1200 6 1048576 393216 priority=375,1500,8,375
accounts/fireworks/models/deepseek-v4p1-flash-1017-us 450 1800 9 1048576 393216 priority=563,2250,12,563
accounts/fireworks/models/devstral-small-2505 900 900 - 131072 131072
accounts/fireworks/models/dobby-mini-unhinged-plus-llama-3-1-8b 200 200 - 131072 131072
accounts/fireworks/models/dobby-unhinged-llama-3-3-70b-new 900 900 - 131072 131072
accounts/fireworks/models/dolphin-2-9-2-qwen2-72b 900 900 - 131072 131072
accounts/fireworks/models/dolphin-2p6-mixtral-8x7b 500 500 - 32768 32768
accounts/fireworks/models/ember-1 3000 15000 300 1048576 - priority=3750,18750,375,3750
accounts/fireworks/models/ernie-4p5-21b-a3b-pt 100 100 - 131072 4096
accounts/fireworks/models/ernie-4p5-300b-a47b-pt 100 100 - 131072 4096
accounts/fireworks/models/fare-20b 900 900 - 131072 131072
accounts/fireworks/models/firefunction-v1 500 500 - 32768 32768
accounts/fireworks/models/firefunction-v2 900 900 - 8192 8192
accounts/fireworks/models/firellava-13b 200 200 - 4096 4096
accounts/fireworks/models/firesearch-ocr-v6 200 200 - 8192 8192
accounts/fireworks/models/flux-1-dev 100 100 - 4096 4096
accounts/fireworks/models/flux-1-dev-controlnet-union 1 1 - 4096 4096
accounts/fireworks/models/flux-1-schnell 100 100 - 4096 4096
accounts/fireworks/models/gemma-2b-it 100 100 - 8192 8192
accounts/fireworks/models/gemma-3-27b-it 900 900 - 131072 131072
accounts/fireworks/models/gemma-7b 200 200 - 8192 8192
accounts/fireworks/models/gemma-7b-it 200 200 - 8192 8192
accounts/fireworks/models/gemma2-9b-it 200 200 - 8192 8192
accounts/fireworks/models/glm-4p5 550 2190 - 131072 96000
accounts/fireworks/models/glm-4p5-air 220 880 - 131072 96000
accounts/fireworks/models/glm-4p5v 1200 1200 - 131072 131072
accounts/fireworks/models/glm-4p6 550 2190 - 202752 202800
accounts/fireworks/models/glm-4p7 600 2200 300 202752 202800
accounts/fireworks/models/glm-5p1 1400 4400 260 202752 131072
accounts/fireworks/models/glm-5p2 1400 4400 140 1048576 131072 priority=1750,5500,175,1750
accounts/fireworks/models/glm-5p3 1400 4400 260 1048576 128000 priority=1750,5500,325,1750
accounts/fireworks/models/glm-5p3-flash 150 500 30 1048576 1048576 priority=188,625,38,188
accounts/fireworks/models/gpt-oss-120b 150 600 15 131072 32768 priority=180,720,18,180
accounts/fireworks/models/gpt-oss-20b 70 300 35 131072 32768
accounts/fireworks/models/gpt-oss-safeguard-120b 1200 1200 - 131072 131072
accounts/fireworks/models/gpt-oss-safeguard-20b 500 500 - 131072 131072
accounts/fireworks/models/hermes-2-pro-mistral-7b 200 200 - 32768 32768
accounts/fireworks/models/inkling 1000 4050 170 1048576 1048576 priority=1000,4050,170,1000
accounts/fireworks/models/internvl3-38b 900 900 - 16384 16384
accounts/fireworks/models/internvl3-78b 900 900 - 16384 16384
accounts/fireworks/models/internvl3-8b 200 200 - 16384 16384
accounts/fireworks/models/kat-coder 900 900 - 262144 262144
accounts/fireworks/models/kat-dev-32b 900 900 - 131072 131072
accounts/fireworks/models/kat-dev-72b-exp 900 900 - 131072 131072
accounts/fireworks/models/kimi-k2-instruct 600 2500 - 131072 16384
accounts/fireworks/models/kimi-k2-instruct-0905 600 2500 - 262144 32768
accounts/fireworks/models/kimi-k2-thinking 600 2500 - 262144 262144
accounts/fireworks/models/kimi-k2p5 600 3000 100 262144 32768
accounts/fireworks/models/kimi-k2p6 950 4000 160 262144 32768 priority=1500,6000,220,1500
accounts/fireworks/models/kimi-k2p7-code 950 4000 190 262144 32768 priority=1425,6000,285,1425
accounts/fireworks/models/kimi-k3 3000 15000 300 1048576 131072 priority=3750,18750,375,3750
accounts/fireworks/models/llama-guard-2-8b 200 200 - 8192 8192
accounts/fireworks/models/llama-guard-3-1b 100 100 - 131072 131072
accounts/fireworks/models/llama-guard-3-8b 200 200 - 131072 131072
accounts/fireworks/models/llama-v2-13b 200 200 - 4096 4096
accounts/fireworks/models/llama-v2-13b-chat 200 200 - 4096 4096
accounts/fireworks/models/llama-v2-70b 100 100 - 4096 4096
accounts/fireworks/models/llama-v2-70b-chat 900 900 - 2048 2048
accounts/fireworks/models/llama-v2-7b 200 200 - 4096 4096
accounts/fireworks/models/llama-v2-7b-chat 200 200 - 4096 4096
accounts/fireworks/models/llama-v3-70b-instruct 900 900 - 8192 8192
accounts/fireworks/models/llama-v3-70b-instruct-hf 900 900 - 8192 8192
accounts/fireworks/models/llama-v3-8b 200 200 - 8192 8192
accounts/fireworks/models/llama-v3-8b-instruct-hf 200 200 - 8192 8192
accounts/fireworks/models/llama-v3p1-405b-instruct 3000 3000 - 131072 16384
accounts/fireworks/models/llama-v3p1-405b-instruct-long 100 100 - 4096 4096
accounts/fireworks/models/llama-v3p1-70b-instruct 900 900 - 131072 131072
accounts/fireworks/models/llama-v3p1-70b-instruct-1b 100 100 - 4096 4096
accounts/fireworks/models/llama-v3p1-8b-instruct 100 100 - 131072 16384
accounts/fireworks/models/llama-v3p1-nemotron-70b-instruct 900 900 - 131072 131072
accounts/fireworks/models/llama-v3p2-11b-vision-instruct 200 200 - 131072 16384
accounts/fireworks/models/llama-v3p2-1b 100 100 - 131072 131072
accounts/fireworks/models/llama-v3p2-1b-instruct 100 100 - 131072 16384
accounts/fireworks/models/llama-v3p2-3b 100 100 - 131072 131072
accounts/fireworks/models/llama-v3p2-3b-instruct 100 100 - 131072 16384
accounts/fireworks/models/llama-v3p2-90b-vision-instruct 900 900 - 131072 16384
accounts/fireworks/models/llama-v3p3-70b-instruct 900 900 - 131072 131072
accounts/fireworks/models/llama4-maverick-instruct-basic 220 880 - 131072 131072
accounts/fireworks/models/llama4-scout-instruct-basic 150 600 - 131072 131072
accounts/fireworks/models/llamaguard-7b 200 200 - 4096 4096
accounts/fireworks/models/llava-yi-34b 900 900 - 4096 4096
accounts/fireworks/models/minimax-m1-80k 100 100 - 4096 4096
accounts/fireworks/models/minimax-m2 300 1200 - 196608 4096
accounts/fireworks/models/minimax-m2p1 300 1200 30 196608 204800
accounts/fireworks/models/minimax-m3 300 1200 60 512000 512000 priority=450,1800,90,450
accounts/fireworks/models/minimax-m3p1-flash 150 600 15 1048576 1048576 priority=225,900,23,225
accounts/fireworks/models/ministral-3-14b-instruct-2512 200 200 - 256000 256000
accounts/fireworks/models/ministral-3-3b-instruct-2512 100 100 - 256000 256000
accounts/fireworks/models/ministral-3-8b-instruct-2512 200 200 - 256000 256000
accounts/fireworks/models/mistral-7b 200 200 - 32768 32768
accounts/fireworks/models/mistral-7b-instruct-4k 200 200 - 32768 32768
accounts/fireworks/models/mistral-7b-instruct-v0p2 200 200 - 32768 32768
accounts/fireworks/models/mistral-7b-instruct-v3 200 200 - 32768 32768
accounts/fireworks/models/mistral-7b-v0p2 200 200 - 32768 32768
accounts/fireworks/models/mistral-large-3-fp8 1200 1200 - 256000 256000
accounts/fireworks/models/mistral-nemo-base-2407 200 200 - 128000 128000
accounts/fireworks/models/mistral-nemo-instruct-2407 200 200 - 128000 128000
accounts/fireworks/models/mistral-small-24b-instruct-2501 900 900 - 32768 32768
accounts/fireworks/models/mixtral-8x22b 1200 1200 - 65536 65536
accounts/fireworks/models/mixtral-8x22b-instruct 1200 1200 - 65536 65536
accounts/fireworks/models/mixtral-8x22b-instruct-hf 1200 1200 - 65536 65536
accounts/fireworks/models/mixtral-8x7b 500 500 - 32768 32768
accounts/fireworks/models/mixtral-8x7b-instruct 500 500 - 32768 32768
accounts/fireworks/models/mixtral-8x7b-instruct-hf 500 500 - 32768 32768
accounts/fireworks/models/muse-glimmer-30b 350 1500 40 131072 16384 priority=525,2250,60,525
accounts/fireworks/models/muse-spark-open 1250 4250 150 1048576 - priority=1875,6375,225,1875
accounts/fireworks/models/mythomax-l2-13b 200 200 - 4096 4096
accounts/fireworks/models/nemotron-3-ultra-nvfp4 600 2400 120 262144 32768 priority=750,3000,150,750
accounts/fireworks/models/nemotron-lightning-3p5-30b-a3b 50 200 10 262144 32768 priority=63,250,13,63
accounts/fireworks/models/nemotron-nano-v2-12b-vl 100 100 - 131072 4096
accounts/fireworks/models/nous-capybara-7b-v1p9 200 200 - 32768 32768
accounts/fireworks/models/nous-hermes-2-mixtral-8x7b-dpo 500 500 - 32768 32768
accounts/fireworks/models/nous-hermes-2-yi-34b 900 900 - 4096 4096
accounts/fireworks/models/nous-hermes-llama2-13b 200 200 - 4096 4096
accounts/fireworks/models/nous-hermes-llama2-70b 900 900 - 4096 4096
accounts/fireworks/models/nous-hermes-llama2-7b 200 200 - 4096 4096
accounts/fireworks/models/nvidia-nemotron-nano-12b-v2 200 200 - 128000 131072
accounts/fireworks/models/nvidia-nemotron-nano-9b-v2 200 200 - 128000 131072
accounts/fireworks/models/openchat-3p5-0106-7b 200 200 - 8192 8192
accounts/fireworks/models/openhermes-2-mistral-7b 200 200 - 32768 32768
accounts/fireworks/models/openhermes-2p5-mistral-7b 200 200 - 32768 32768
accounts/fireworks/models/openorca-7b 200 200 - 32768 32768
accounts/fireworks/models/phi-2-3b 100 100 - 2048 2048
accounts/fireworks/models/phi-3-mini-128k-instruct 100 100 - 131072 131072
accounts/fireworks/models/phi-3-vision-128k-instruct 200 200 - 32064 32064
accounts/fireworks/models/phind-code-llama-34b-python-v1 900 900 - 16384 16384
accounts/fireworks/models/phind-code-llama-34b-v1 900 900 - 16384 16384
accounts/fireworks/models/phind-code-llama-34b-v2 900 900 - 16384 16384
accounts/fireworks/models/pythia-12b 200 200 - 2048 2048
accounts/fireworks/models/qwen-qwq-32b-preview 900 900 - 32768 32768
accounts/fireworks/models/qwen-v2p5-14b-instruct 200 200 - 32768 32768
accounts/fireworks/models/qwen-v2p5-7b 200 200 - 131072 131072
accounts/fireworks/models/qwen1p5-72b-chat 900 900 - 32768 32768
accounts/fireworks/models/qwen2-72b-instruct 900 900 - 32768 32768
accounts/fireworks/models/qwen2-7b-instruct 200 200 - 32768 32768
accounts/fireworks/models/qwen2-vl-2b-instruct 100 100 - 32768 32768
accounts/fireworks/models/qwen2-vl-72b-instruct 900 900 - 32768 32768
accounts/fireworks/models/qwen2-vl-7b-instruct 200 200 - 32768 32768
accounts/fireworks/models/qwen2p5-0p5b-instruct 100 100 - 32768 32768
accounts/fireworks/models/qwen2p5-14b 200 200 - 131072 131072
accounts/fireworks/models/qwen2p5-1p5b-instruct 100 100 - 32768 32768
accounts/fireworks/models/qwen2p5-32b 900 900 - 131072 131072
accounts/fireworks/models/qwen2p5-32b-instruct 900 900 - 32768 32768
accounts/fireworks/models/qwen2p5-72b 900 900 - 131072 131072
accounts/fireworks/models/qwen2p5-72b-instruct 900 900 - 32768 32768
accounts/fireworks/models/qwen2p5-7b-instruct 200 200 - 32768 32768
accounts/fireworks/models/qwen2p5-coder-0p5b 100 100 - 32768 32768
accounts/fireworks/models/qwen2p5-coder-0p5b-instruct 100 100 - 32768 32768
accounts/fireworks/models/qwen2p5-coder-14b 200 200 - 32768 32768
accounts/fireworks/models/qwen2p5-coder-14b-instruct 200 200 - 32768 32768
accounts/fireworks/models/qwen2p5-coder-1p5b 100 100 - 32768 32768
accounts/fireworks/models/qwen2p5-coder-1p5b-instruct 100 100 - 32768 32768
accounts/fireworks/models/qwen2p5-coder-32b 900 900 - 32768 32768
accounts/fireworks/models/qwen2p5-coder-32b-instruct 900 900 - 4096 4096
accounts/fireworks/models/qwen2p5-coder-32b-instruct-128k 900 900 - 131072 131072
accounts/fireworks/models/qwen2p5-coder-32b-instruct-32k-rope 900 900 - 32768 32768
accounts/fireworks/models/qwen2p5-coder-32b-instruct-64k 900 900 - 65536 65536
accounts/fireworks/models/qwen2p5-coder-3b 100 100 - 32768 32768
accounts/fireworks/models/qwen2p5-coder-3b-instruct 100 100 - 32768 32768
accounts/fireworks/models/qwen2p5-coder-7b 200 200 - 32768 32768
accounts/fireworks/models/qwen2p5-coder-7b-instruct 200 200 - 32768 32768
accounts/fireworks/models/qwen2p5-math-72b-instruct 900 900 - 4096 4096
accounts/fireworks/models/qwen2p5-vl-32b-instruct 900 900 - 128000 128000
accounts/fireworks/models/qwen2p5-vl-3b-instruct 200 200 - 128000 128000
accounts/fireworks/models/qwen2p5-vl-72b-instruct 900 900 - 128000 128000
accounts/fireworks/models/qwen2p5-vl-7b-instruct 200 200 - 128000 128000
accounts/fireworks/models/qwen3-0p6b 100 100 - 40960 40960
accounts/fireworks/models/qwen3-14b 200 200 - 40960 40960
accounts/fireworks/models/qwen3-1p7b 100 100 - 131072 131072
accounts/fireworks/models/qwen3-1p7b-fp8-draft 100 100 - 262144 262144
accounts/fireworks/models/qwen3-1p7b-fp8-draft-131072 100 100 - 131072 131072
accounts/fireworks/models/qwen3-1p7b-fp8-draft-40960 100 100 - 40960 40960
accounts/fireworks/models/qwen3-235b-a22b 220 880 - 131072 131072
accounts/fireworks/models/qwen3-235b-a22b-instruct-2507 220 880 - 262144 262144
accounts/fireworks/models/qwen3-235b-a22b-thinking-2507 220 880 - 262144 262144
accounts/fireworks/models/qwen3-30b-a3b 150 600 - 131072 131072
accounts/fireworks/models/qwen3-30b-a3b-instruct-2507 500 500 - 262144 262144
accounts/fireworks/models/qwen3-30b-a3b-thinking-2507 900 900 - 262144 262144
accounts/fireworks/models/qwen3-32b 900 900 - 131072 131072
accounts/fireworks/models/qwen3-4b 200 200 - 40960 40960
accounts/fireworks/models/qwen3-4b-instruct-2507 200 200 - 262144 262144
accounts/fireworks/models/qwen3-8b 200 200 - 40960 40960
accounts/fireworks/models/qwen3-coder-30b-a3b-instruct 150 600 - 262144 262144
accounts/fireworks/models/qwen3-coder-480b-a35b-instruct 450 1800 - 262144 262144
accounts/fireworks/models/qwen3-coder-480b-instruct-bf16 900 900 - 262144 4096
accounts/fireworks/models/qwen3-embedding-8b 100 0 - - 40960
accounts/fireworks/models/qwen3-next-80b-a3b-instruct 900 900 - 4096 4096
accounts/fireworks/models/qwen3-next-80b-a3b-thinking 900 900 - 4096 4096
accounts/fireworks/models/qwen3-vl-235b-a22b-instruct 220 880 - 262144 262144
accounts/fireworks/models/qwen3-vl-235b-a22b-thinking 220 880 - 262144 262144
accounts/fireworks/models/qwen3-vl-30b-a3b-instruct 150 600 - 262144 262144
accounts/fireworks/models/qwen3-vl-30b-a3b-thinking 150 600 - 262144 262144
accounts/fireworks/models/qwen3-vl-32b-instruct 900 900 - 4096 4096
accounts/fireworks/models/qwen3-vl-8b-instruct 200 200 - 262144 4096
accounts/fireworks/models/qwen3p7-plus 400 1600 80 262144 65536
accounts/fireworks/models/qwen3p8-max 2000 6000 250 262144 - priority=3000,9000,375,3000
accounts/fireworks/models/qwq-32b 900 900 - 131072 131072
accounts/fireworks/models/rolm-ocr 200 200 - 128000 128000
accounts/fireworks/models/snorkel-mistral-7b-pairrm-dpo 200 200 - 32768 32768
accounts/fireworks/models/stablecode-3b 100 100 - 4096 4096
accounts/fireworks/models/starcoder-16b 200 200 - 8192 8192
accounts/fireworks/models/starcoder-7b 200 200 - 8192 8192
accounts/fireworks/models/starcoder2-15b 200 200 - 16384 16384
accounts/fireworks/models/starcoder2-3b 100 100 - 16384 16384
accounts/fireworks/models/starcoder2-7b 200 200 - 16384 16384
accounts/fireworks/models/toppy-m-7b 200 200 - 32768 32768
accounts/fireworks/models/ultramarine-1-flash-us 225 750 45 1048576 1048576 priority=282,938,57,282
accounts/fireworks/models/yi-34b 900 900 - 4096 4096
accounts/fireworks/models/yi-34b-200k-capybara 900 900 - 200000 200000
accounts/fireworks/models/yi-34b-chat 900 900 - 4096 4096
accounts/fireworks/models/yi-6b 200 200 - 4096 4096
accounts/fireworks/models/yi-large 3000 3000 - 32768 32768
accounts/fireworks/models/zephyr-7b-beta 200 200 - 32768 32768
accounts/fireworks/routers/deepseek-v4p1-flash-1017-spot 210 840 5 1048576 393216
accounts/fireworks/routers/deepseek-v4p1-flash-spot 210 840 5 1048576 393216
accounts/fireworks/routers/deepseek-v4p1-flash-us 450 1800 9 1048576 393216 priority=563,2250,12,563
accounts/fireworks/routers/glm-5p1-fast 2800 8800 520 202800 131072
accounts/fireworks/routers/glm-5p2-fast 2100 6600 210 1048576 131072
accounts/fireworks/routers/glm-5p2-fast-us 2100 6600 210 1048576 131072
accounts/fireworks/routers/glm-5p3-fast 2100 6600 390 1048576 1048576
accounts/fireworks/routers/glm-5p3-flash-us 225 750 45 1048576 1048576 priority=282,938,57,282
accounts/fireworks/routers/glm-5p3-spot 980 3080 182 1048576 128000
accounts/fireworks/routers/glm-5p3-us 2100 6600 390 1048576 128000 priority=2625,8250,488,2625
accounts/fireworks/routers/kimi-k2p6-fast 2000 8000 300 262144 32768
accounts/fireworks/routers/kimi-k2p7-code-fast 1900 8000 380 262144 32768
accounts/fireworks/routers/kimi-k3-fast 4500 22500 450 1048576 131072
accounts/fireworks/routers/kimi-k3-spot 2100 10500 210 1048576 131072
accounts/fireworks/routers/kimi-k3-us 4500 22500 450 1048576 131072 priority=5625,28125,563,5625
accounts/fireworks/routers/spot-deepseek-v4-flash 105 210 21 1048576 384000
deepseek-v4-flash 140 280 28 1048576 384000
deepseek-v4-flash-0731 220 660 7 1048576 131072 priority=275,825,9,275
deepseek-v4-flash-vision-exp 220 660 7 1048576 1048576 priority=275,825,9,275
deepseek-v4-pro-0813 1320 3960 44 1048576 131072 priority=1650,4950,55,1650
deepseek-v4p1-flash 300 1200 6 1048576 393216 priority=375,1500,8,375
deepseek-v4p1-flash-us 450 1800 9 1048576 393216 priority=563,2250,12,563
glm-4p7 600 2200 300 202752 202800
glm-5p1 1400 4400 260 202752 131072
glm-5p1-fast 2800 8800 520 202800 131072
glm-5p2 1400 4400 140 1048576 131072 priority=1750,5500,175,1750
glm-5p2-fast 2100 6600 210 1048576 131072
glm-5p2-fast-us 2100 6600 210 1048576 131072
glm-5p3 1400 4400 260 1048576 128000 priority=1750,5500,325,1750
glm-5p3-fast 2100 6600 390 1048576 1048576
glm-5p3-flash 150 500 30 1048576 1048576 priority=188,625,38,188
glm-5p3-flash-us 225 750 45 1048576 1048576 priority=282,938,57,282
glm-5p3-us 2100 6600 390 1048576 128000 priority=2625,8250,488,2625
gpt-oss-120b 150 600 15 131072 32768 priority=180,720,18,180
gpt-oss-20b 70 300 35 131072 32768
kimi-k2p5 600 3000 100 262144 32768
kimi-k2p6 950 4000 160 262144 32768 priority=1500,6000,220,1500
kimi-k2p6-fast 2000 8000 300 262144 32768
kimi-k2p7-code 950 4000 190 262144 32768 priority=1425,6000,285,1425
kimi-k2p7-code-fast 1900 8000 380 262144 32768
kimi-k3 3000 15000 300 1048576 131072 priority=3750,18750,375,3750
kimi-k3-fast 4500 22500 450 1048576 131072
kimi-k3-us 4500 22500 450 1048576 131072 priority=5625,28125,563,5625
minimax-m2p1 300 1200 30 196608 204800
minimax-m3 300 1200 60 512000 512000 priority=450,1800,90,450
muse-glimmer-30b 350 1500 40 131072 16384 priority=525,2250,60,525
nemotron-3-ultra-nvfp4 600 2400 120 262144 32768 priority=750,3000,150,750
nemotron-lightning-3p5-30b-a3b 50 200 10 262144 32768 priority=63,250,13,63
qwen3p7-plus 400 1600 80 262144 65536
qwen3p8-max 2000 6000 250 262144 - priority=3000,9000,375,3000
""",
}
