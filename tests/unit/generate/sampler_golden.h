/* Made by sampler_golden.py: what transformers' logits processors leave. */
// clang-format off
static const golden_case golden_cases[] = {
    {.seed = 486847129u, .n_prompt = 6, .prompt = {24, 8, 12, 45, 2, 5}, .n_answer = 2, .answer =
     {15, 32}, .options = {.repetition_penalty = 1.0f, .presence_penalty = -0.4f,
     .frequency_penalty = 0.3f, .temperature = 1.0f, .top_k = 5, .top_p = 0.97f, .min_p = 0.3f},
     .left = {[2] = 0.161067629, [6] = 0.240098116, [13] = 0.183468472, [39] = 0.248171759, [44] =
     0.167194024}},
    {.seed = 838545108u, .n_prompt = 8, .prompt = {36, 12, 25, 5, 31, 14, 1, 44}, .n_answer = 4,
     .answer = {33, 26, 30, 24}, .options = {.repetition_penalty = 0.0f, .presence_penalty = 0.6f,
     .frequency_penalty = 0.0f, .temperature = 1.0f, .top_k = 5, .top_p = 1.0f, .min_p = 0.3f},
     .left = {[6] = 0.207338624, [13] = 0.222009534, [19] = 0.232777627, [28] = 0.159848919, [36] =
     0.178025295}},
    {.seed = 231346081u, .n_prompt = 11, .prompt = {3, 21, 15, 44, 5, 31, 41, 33, 13, 37, 9},
     .n_answer = 9, .answer = {4, 34, 2, 31, 44, 12, 9, 37, 29}, .options = {.repetition_penalty =
     0.8f, .presence_penalty = -0.4f, .frequency_penalty = 0.0f, .temperature = 0.2f, .top_k = 5,
     .top_p = 0.35f, .min_p = 0.0f}, .left = {[4] = 1}},
    {.seed = 209629819u, .n_prompt = 9, .prompt = {44, 20, 44, 22, 41, 31, 32, 39, 12}, .n_answer =
     4, .answer = {9, 22, 33, 18}, .options = {.repetition_penalty = 0.8f, .presence_penalty =
     0.0f, .frequency_penalty = 0.3f, .temperature = 0.7f, .top_k = 1, .top_p = 0.35f, .min_p =
     0.0f}, .left = {[31] = 1}},
    {.seed = 635025252u, .n_prompt = 6, .prompt = {14, 17, 2, 27, 16, 24}, .n_answer = 4, .answer =
     {45, 26, 11, 42}, .options = {.repetition_penalty = 1.1f, .presence_penalty = 0.0f,
     .frequency_penalty = 0.0f, .temperature = 1.0f, .top_k = 0, .top_p = 0.35f, .min_p = 0.05f},
     .left = {[1] = 0.313253182, [23] = 0.340079812, [42] = 0.346667006}},
    {.seed = 250145547u, .n_prompt = 1, .prompt = {24}, .n_answer = 5, .answer = {10, 36, 27, 14,
     8}, .options = {.repetition_penalty = 1.1f, .presence_penalty = -0.4f, .frequency_penalty =
     0.0f, .temperature = 1.9f, .top_k = 0, .top_p = 1.0f, .min_p = 0.0f}, .left = {[0] =
     0.00424701761, [1] = 0.0133503384, [2] = 0.00251890521, [3] = 0.0060468064, [4] =
     0.0833233609, [5] = 0.0848382383, [6] = 0.00924365559, [7] = 0.00537365078, [8] =
     0.0117115925, [9] = 0.00641319053, [10] = 0.0221959248, [11] = 0.0148665868, [12] =
     0.0379345131, [13] = 0.0024626976, [14] = 0.00145708201, [15] = 0.00188516573, [16] =
     0.00877040452, [17] = 0.0112971032, [18] = 0.00739044067, [19] = 0.067745604, [20] =
     0.0406315928, [21] = 0.00176765858, [22] = 0.0668779843, [23] = 0.0296747111, [24] =
     0.00238483418, [25] = 0.00300645627, [26] = 0.019670953, [27] = 0.0251911955, [28] =
     0.0078378284, [29] = 0.0246943712, [30] = 0.0233865651, [31] = 0.00659055785, [32] =
     0.00148138157, [33] = 0.0286344267, [34] = 0.0143420216, [35] = 0.0443237659, [36] =
     0.0269476479, [37] = 0.00298436094, [38] = 0.0324120796, [39] = 0.0485101383, [40] =
     0.00382495139, [41] = 0.0560187958, [42] = 0.0189295285, [43] = 0.00195607116, [44] =
     0.00931875094, [45] = 0.0408268679, [46] = 0.0120087759, [47] = 0.0026934489}},
    {.seed = 620073659u, .n_prompt = 2, .prompt = {2, 5}, .n_answer = 10, .answer = {6, 33, 33, 23,
     9, 32, 31, 45, 9, 38}, .options = {.repetition_penalty = 0.0f, .presence_penalty = 0.0f,
     .frequency_penalty = 0.0f, .temperature = 0.7f, .top_k = 1, .top_p = 0.97f, .min_p = 1.0f},
     .left = {[23] = 1}},
    {.seed = 259306325u, .n_prompt = 5, .prompt = {22, 20, 23, 0, 41}, .n_answer = 7, .answer =
     {13, 3, 39, 2, 37, 11, 11}, .options = {.repetition_penalty = 1.3f, .presence_penalty = -0.4f,
     .frequency_penalty = 0.0f, .temperature = 1.0f, .top_k = 0, .top_p = 0.35f, .min_p = 1.0f},
     .left = {[14] = 1}},
    {.seed = 481000256u, .n_prompt = 8, .prompt = {30, 9, 24, 7, 6, 37, 46, 28}, .n_answer = 10,
     .answer = {8, 46, 28, 32, 46, 5, 45, 30, 36, 25}, .options = {.repetition_penalty = 1.3f,
     .presence_penalty = -0.4f, .frequency_penalty = 0.0f, .temperature = 1.0f, .top_k = 0, .top_p
     = 0.0f, .min_p = 0.3f}, .left = {[3] = 0.118654732, [10] = 0.111202487, [16] = 0.0883241615,
     [17] = 0.247724466, [18] = 0.0922245709, [29] = 0.0951259623, [33] = 0.24674362}},
    {.seed = 239219908u, .n_prompt = 2, .prompt = {13, 46}, .n_answer = 0, .answer = {0}, .options
     = {.repetition_penalty = 0.8f, .presence_penalty = 0.0f, .frequency_penalty = 0.3f,
     .temperature = 0.2f, .top_k = 5, .top_p = 1.0f, .min_p = 0.0f}, .left = {[4] = 0.104925627,
     [6] = 0.124985009, [11] = 0.192572999, [26] = 0.514884395, [33] = 0.062631969}},
    {.seed = 430949124u, .n_prompt = 9, .prompt = {14, 20, 33, 24, 47, 33, 41, 12, 0}, .n_answer =
     4, .answer = {39, 18, 5, 47}, .options = {.repetition_penalty = 1.3f, .presence_penalty =
     -0.4f, .frequency_penalty = 0.0f, .temperature = 0.2f, .top_k = 0, .top_p = 1.0f, .min_p =
     0.3f}, .left = {[43] = 1}},
    {.seed = 792966386u, .n_prompt = 6, .prompt = {33, 19, 40, 22, 18, 41}, .n_answer = 1, .answer
     = {12}, .options = {.repetition_penalty = 1.1f, .presence_penalty = 0.6f, .frequency_penalty =
     0.0f, .temperature = 0.2f, .top_k = 0, .top_p = 0.9f, .min_p = 0.3f}, .left = {[9] =
     0.397882422, [36] = 0.148926423, [43] = 0.453191155}},
    {.seed = 823504032u, .n_prompt = 11, .prompt = {33, 44, 46, 22, 43, 38, 37, 23, 43, 27, 12},
     .n_answer = 7, .answer = {33, 32, 5, 17, 10, 4, 31}, .options = {.repetition_penalty = 1.3f,
     .presence_penalty = -0.4f, .frequency_penalty = 0.0f, .temperature = 0.2f, .top_k = 1, .top_p
     = 0.9f, .min_p = 1.0f}, .left = {[25] = 1}},
    {.seed = 576827038u, .n_prompt = 5, .prompt = {40, 26, 15, 23, 15}, .n_answer = 3, .answer =
     {32, 47, 29}, .options = {.repetition_penalty = 1.0f, .presence_penalty = 0.0f,
     .frequency_penalty = 0.3f, .temperature = 0.7f, .top_k = 1, .top_p = 0.97f, .min_p = 0.0f},
     .left = {[6] = 1}},
    {.seed = 239715677u, .n_prompt = 7, .prompt = {5, 41, 10, 36, 27, 2, 8}, .n_answer = 0, .answer
     = {0}, .options = {.repetition_penalty = 0.8f, .presence_penalty = 0.0f, .frequency_penalty =
     0.3f, .temperature = 0.2f, .top_k = 0, .top_p = 0.0f, .min_p = 0.3f}, .left = {[21] =
     0.180768092, [29] = 0.226913959, [43] = 0.592317949}},
    {.seed = 987275788u, .n_prompt = 11, .prompt = {18, 36, 5, 8, 38, 22, 41, 4, 20, 2, 5},
     .n_answer = 2, .answer = {41, 23}, .options = {.repetition_penalty = 0.0f, .presence_penalty =
     0.0f, .frequency_penalty = 0.3f, .temperature = 1.0f, .top_k = 20, .top_p = 0.9f, .min_p =
     0.0f}, .left = {[3] = 0.0962455221, [4] = 0.0421856863, [8] = 0.0509458616, [14] =
     0.0674130491, [18] = 0.0237202406, [19] = 0.160882375, [20] = 0.0352888977, [22] =
     0.0677580093, [29] = 0.0292508369, [30] = 0.0323999646, [33] = 0.0863246261, [34] =
     0.123080176, [38] = 0.0935716164, [40] = 0.0909331385}},
    {.seed = 636932796u, .n_prompt = 6, .prompt = {20, 4, 33, 7, 46, 39}, .n_answer = 5, .answer =
     {27, 10, 10, 16, 24}, .options = {.repetition_penalty = 1.0f, .presence_penalty = -0.4f,
     .frequency_penalty = 0.3f, .temperature = 1.0f, .top_k = 0, .top_p = 1.0f, .min_p = 0.0f},
     .left = {[0] = 0.00134996419, [1] = 0.0763539125, [2] = 0.00026049533, [3] = 0.10881096, [4] =
     0.0336941784, [5] = 0.00204042144, [6] = 0.000225488082, [7] = 0.0115016252, [8] =
     0.00335726601, [9] = 0.00550840254, [10] = 0.0782454963, [11] = 0.00710847101, [12] =
     0.000484635177, [13] = 0.0631920132, [14] = 0.0153745034, [15] = 0.0954963838, [16] =
     0.0203145535, [17] = 0.000491400268, [18] = 0.0120574627, [19] = 0.000722137356, [20] =
     0.108868256, [21] = 8.1890983e-05, [22] = 0.0801630304, [23] = 0.0448238662, [24] =
     0.0110857756, [25] = 0.000676127264, [26] = 0.00393238518, [27] = 0.000160066099, [28] =
     0.0220607967, [29] = 0.0156088741, [30] = 0.000156652877, [31] = 0.0363183101, [32] =
     0.0137444445, [33] = 9.4777301e-05, [34] = 0.00452045344, [35] = 7.3775478e-05, [36] =
     0.0272922069, [37] = 0.0071454455, [38] = 0.0009776017, [39] = 0.000197492172, [40] =
     0.0662504342, [41] = 0.0134045612, [42] = 0.00238919178, [43] = 0.00179853747, [44] =
     5.89888127e-05, [45] = 7.74323297e-05, [46] = 0.00012009435, [47] = 0.00132876119}},
    {.seed = 176405200u, .n_prompt = 5, .prompt = {11, 21, 47, 12, 6}, .n_answer = 0, .answer =
     {0}, .options = {.repetition_penalty = 0.0f, .presence_penalty = 0.0f, .frequency_penalty =
     0.0f, .temperature = 0.2f, .top_k = 1, .top_p = 0.35f, .min_p = 1.0f}, .left = {[19] = 1}},
    {.seed = 1028407759u, .n_prompt = 2, .prompt = {36, 45}, .n_answer = 1, .answer = {8}, .options
     = {.repetition_penalty = 1.0f, .presence_penalty = 0.0f, .frequency_penalty = 0.0f,
     .temperature = 0.7f, .top_k = 5, .top_p = 0.35f, .min_p = 0.0f}, .left = {[27] = 0.528663288,
     [45] = 0.471336712}},
    {.seed = 289968587u, .n_prompt = 8, .prompt = {3, 44, 28, 37, 42, 39, 18, 26}, .n_answer = 6,
     .answer = {37, 43, 47, 23, 44, 36}, .options = {.repetition_penalty = 1.1f, .presence_penalty
     = 0.6f, .frequency_penalty = 0.3f, .temperature = 0.7f, .top_k = 1, .top_p = 0.9f, .min_p =
     0.3f}, .left = {[31] = 1}},
    {.seed = 274640908u, .n_prompt = 5, .prompt = {31, 40, 32, 34, 32}, .n_answer = 4, .answer =
     {13, 36, 33, 25}, .options = {.repetition_penalty = 1.0f, .presence_penalty = -0.4f,
     .frequency_penalty = 0.3f, .temperature = 1.9f, .top_k = 0, .top_p = 0.9f, .min_p = 0.3f},
     .left = {[0] = 0.0627761614, [1] = 0.0759968383, [3] = 0.0869270669, [4] = 0.120109911, [5] =
     0.0464223321, [7] = 0.149362315, [19] = 0.0526814794, [22] = 0.0544436748, [25] =
     0.0493038157, [37] = 0.138466324, [42] = 0.091448946, [47] = 0.0720611352}},
    {.seed = 68840529u, .n_prompt = 1, .prompt = {23}, .n_answer = 8, .answer = {18, 22, 24, 44, 1,
     39, 9, 44}, .options = {.repetition_penalty = 0.0f, .presence_penalty = 0.0f,
     .frequency_penalty = 0.0f, .temperature = 1.9f, .top_k = 20, .top_p = 0.35f, .min_p = 0.3f},
     .left = {[8] = 0.18041751, [19] = 0.19228972, [27] = 0.218317043, [42] = 0.195634804, [47] =
     0.213340923}},
    {.seed = 232014854u, .n_prompt = 6, .prompt = {32, 2, 38, 45, 41, 23}, .n_answer = 5, .answer =
     {6, 20, 41, 6, 30}, .options = {.repetition_penalty = 1.0f, .presence_penalty = 0.0f,
     .frequency_penalty = 0.0f, .temperature = 0.2f, .top_k = 20, .top_p = 0.9f, .min_p = 0.05f},
     .left = {[12] = 0.271581632, [17] = 0.0649958547, [38] = 0.532242423, [45] = 0.13118009}},
    {.seed = 922402898u, .n_prompt = 6, .prompt = {47, 40, 42, 2, 47, 9}, .n_answer = 11, .answer =
     {42, 41, 20, 3, 2, 14, 32, 23, 30, 23, 30}, .options = {.repetition_penalty = 0.8f,
     .presence_penalty = 0.0f, .frequency_penalty = 0.0f, .temperature = 0.7f, .top_k = 60, .top_p
     = 0.9f, .min_p = 0.0f}, .left = {[0] = 0.0350401294, [6] = 0.0426941801, [11] = 0.0669456267,
     [13] = 0.0677095079, [14] = 0.209160508, [20] = 0.136111127, [22] = 0.173909651, [23] =
     0.0384171685, [25] = 0.0504411988, [33] = 0.069598796, [36] = 0.0359002574, [38] =
     0.0740718488}},
    {.seed = 946788076u, .n_prompt = 5, .prompt = {37, 43, 16, 29, 18}, .n_answer = 4, .answer =
     {25, 31, 28, 42}, .options = {.repetition_penalty = 0.0f, .presence_penalty = -0.4f,
     .frequency_penalty = 0.3f, .temperature = 1.9f, .top_k = 1, .top_p = 0.35f, .min_p = 1.0f},
     .left = {[41] = 1}},
    {.seed = 232267117u, .n_prompt = 6, .prompt = {45, 38, 42, 29, 23, 30}, .n_answer = 9, .answer
     = {24, 13, 34, 33, 45, 37, 11, 9, 32}, .options = {.repetition_penalty = 0.0f,
     .presence_penalty = 0.0f, .frequency_penalty = 0.3f, .temperature = 0.2f, .top_k = 0, .top_p =
     0.35f, .min_p = 0.3f}, .left = {[17] = 1}},
    {.seed = 544214751u, .n_prompt = 4, .prompt = {7, 0, 2, 28}, .n_answer = 11, .answer = {13, 20,
     20, 1, 0, 47, 1, 47, 8, 36, 19}, .options = {.repetition_penalty = 1.3f, .presence_penalty =
     0.0f, .frequency_penalty = 0.0f, .temperature = 0.7f, .top_k = 1, .top_p = 0.9f, .min_p =
     0.0f}, .left = {[38] = 1}},
    {.seed = 890135379u, .n_prompt = 4, .prompt = {0, 43, 6, 33}, .n_answer = 8, .answer = {12, 30,
     45, 26, 7, 27, 32, 9}, .options = {.repetition_penalty = 0.0f, .presence_penalty = 0.0f,
     .frequency_penalty = 0.3f, .temperature = 0.2f, .top_k = 20, .top_p = 0.97f, .min_p = 0.0f},
     .left = {[1] = 0.0584516585, [12] = 0.134871256, [19] = 0.128070144, [22] = 0.633343268, [44]
     = 0.0213799834, [46] = 0.0238836898}},
    {.seed = 543327916u, .n_prompt = 7, .prompt = {44, 42, 12, 1, 18, 4, 31}, .n_answer = 5,
     .answer = {44, 10, 14, 3, 25}, .options = {.repetition_penalty = 1.3f, .presence_penalty =
     0.6f, .frequency_penalty = 0.0f, .temperature = 0.2f, .top_k = 20, .top_p = 0.0f, .min_p =
     0.3f}, .left = {[23] = 0.244693612, [36] = 0.512379885, [47] = 0.242926503}},
    {.seed = 447632041u, .n_prompt = 4, .prompt = {12, 7, 41, 31}, .n_answer = 2, .answer = {45,
     20}, .options = {.repetition_penalty = 1.0f, .presence_penalty = 0.0f, .frequency_penalty =
     0.0f, .temperature = 0.2f, .top_k = 20, .top_p = 1.0f, .min_p = 0.3f}, .left = {[13] =
     0.185350304, [32] = 0.16345131, [40] = 0.439227566, [45] = 0.211970819}},
    {.seed = 994514754u, .n_prompt = 10, .prompt = {23, 39, 8, 39, 10, 30, 6, 14, 33, 21},
     .n_answer = 9, .answer = {10, 35, 15, 14, 27, 46, 43, 38, 12}, .options = {.repetition_penalty
     = 1.3f, .presence_penalty = 0.0f, .frequency_penalty = 0.3f, .temperature = 0.2f, .top_k = 0,
     .top_p = 0.97f, .min_p = 0.05f}, .left = {[11] = 0.0952038887, [19] = 0.184766242, [22] =
     0.193538834, [36] = 0.411322182, [41] = 0.0243565443, [44] = 0.0908123088}},
    {.seed = 302764423u, .n_prompt = 11, .prompt = {15, 46, 38, 25, 1, 20, 25, 22, 19, 7, 7},
     .n_answer = 6, .answer = {43, 42, 28, 26, 38, 0}, .options = {.repetition_penalty = 1.1f,
     .presence_penalty = 0.6f, .frequency_penalty = 0.3f, .temperature = 0.7f, .top_k = 0, .top_p =
     0.0f, .min_p = 1.0f}, .left = {[7] = 1}},
    {.seed = 684846369u, .n_prompt = 6, .prompt = {45, 30, 37, 6, 39, 11}, .n_answer = 1, .answer =
     {3}, .options = {.repetition_penalty = 1.1f, .presence_penalty = 0.6f, .frequency_penalty =
     0.0f, .temperature = 1.0f, .top_k = 0, .top_p = 0.35f, .min_p = 0.0f}, .left = {[18] =
     0.353818343, [23] = 0.250787604, [43] = 0.395394053}},
    {.seed = 128553148u, .n_prompt = 6, .prompt = {22, 24, 45, 20, 31, 38}, .n_answer = 2, .answer
     = {31, 47}, .options = {.repetition_penalty = 1.3f, .presence_penalty = 0.0f,
     .frequency_penalty = 0.0f, .temperature = 1.9f, .top_k = 20, .top_p = 0.35f, .min_p = 1.0f},
     .left = {[34] = 1}},
    {.seed = 124158629u, .n_prompt = 9, .prompt = {32, 41, 25, 28, 33, 30, 42, 10, 7}, .n_answer =
     9, .answer = {39, 32, 44, 10, 21, 47, 18, 36, 34}, .options = {.repetition_penalty = 1.1f,
     .presence_penalty = 0.0f, .frequency_penalty = 0.0f, .temperature = 0.7f, .top_k = 1, .top_p =
     0.35f, .min_p = 0.05f}, .left = {[45] = 1}},
    {.seed = 758318136u, .n_prompt = 9, .prompt = {3, 43, 25, 38, 17, 4, 15, 35, 45}, .n_answer =
     11, .answer = {30, 28, 18, 44, 12, 30, 35, 4, 41, 4, 40}, .options = {.repetition_penalty =
     1.3f, .presence_penalty = 0.0f, .frequency_penalty = 0.0f, .temperature = 1.9f, .top_k = 0,
     .top_p = 1.0f, .min_p = 0.0f}, .left = {[0] = 0.00208683439, [1] = 0.00722893063, [2] =
     0.0162889858, [3] = 0.0294785148, [4] = 0.0369591398, [5] = 0.024286292, [6] = 0.0321697681,
     [7] = 0.00498971522, [8] = 0.0133839515, [9] = 0.00588826177, [10] = 0.0483866438, [11] =
     0.00429362764, [12] = 0.0184843024, [13] = 0.00592148051, [14] = 0.00383815553, [15] =
     0.026716946, [16] = 0.00169335408, [17] = 0.00133592378, [18] = 0.0177515102, [19] =
     0.00627822858, [20] = 0.100268061, [21] = 0.0376796525, [22] = 0.00503023144, [23] =
     0.0017065217, [24] = 0.00483772065, [25] = 0.0468862043, [26] = 0.00933632554, [27] =
     0.0544635489, [28] = 0.000933430373, [29] = 0.0316500713, [30] = 0.0269430224, [31] =
     0.00431234023, [32] = 0.00702930084, [33] = 0.0878142804, [34] = 0.00889136557, [35] =
     0.008575524, [36] = 0.01623394, [37] = 0.0029073729, [38] = 0.0152826507, [39] =
     0.00477124049, [40] = 0.0201968736, [41] = 0.00283613294, [42] = 0.0355917054, [43] =
     0.00525048641, [44] = 0.0201847752, [45] = 0.0304053273, [46] = 0.100749936, [47] =
     0.0017713907}},
    {.seed = 390843635u, .n_prompt = 3, .prompt = {45, 31, 20}, .n_answer = 9, .answer = {15, 45,
     12, 28, 15, 24, 1, 33, 22}, .options = {.repetition_penalty = 1.3f, .presence_penalty = 0.0f,
     .frequency_penalty = 0.3f, .temperature = 1.9f, .top_k = 20, .top_p = 0.0f, .min_p = 1.0f},
     .left = {[16] = 1}},
    {.seed = 202856289u, .n_prompt = 8, .prompt = {46, 23, 16, 21, 6, 6, 12, 31}, .n_answer = 6,
     .answer = {36, 28, 6, 44, 8, 1}, .options = {.repetition_penalty = 1.3f, .presence_penalty =
     0.0f, .frequency_penalty = 0.0f, .temperature = 1.9f, .top_k = 1, .top_p = 1.0f, .min_p =
     0.3f}, .left = {[29] = 1}},
    {.seed = 237577251u, .n_prompt = 7, .prompt = {30, 43, 40, 26, 8, 4, 46}, .n_answer = 2,
     .answer = {15, 28}, .options = {.repetition_penalty = 1.0f, .presence_penalty = 0.6f,
     .frequency_penalty = 0.3f, .temperature = 0.7f, .top_k = 0, .top_p = 1.0f, .min_p = 0.0f},
     .left = {[0] = 0.000693063675, [1] = 0.0185041575, [2] = 0.0702653332, [3] = 0.000781137183,
     [4] = 0.128687539, [5] = 0.156020297, [6] = 0.0147969564, [7] = 0.000130427629, [8] =
     0.107511236, [9] = 7.76876666e-06, [10] = 6.06137713e-05, [11] = 0.000694969848, [12] =
     3.58161973e-06, [13] = 0.0100637602, [14] = 2.19751141e-05, [15] = 1.63285087e-06, [16] =
     0.010387383, [17] = 8.40663517e-06, [18] = 0.00878915978, [19] = 0.0774320473, [20] =
     0.00038004333, [21] = 1.69759475e-05, [22] = 0.00879874353, [23] = 1.86369911e-05, [24] =
     0.00386816997, [25] = 0.0655288857, [26] = 0.000175206822, [27] = 0.022373319, [28] =
     7.00378607e-05, [29] = 0.0176646433, [30] = 0.000330124031, [31] = 8.9517016e-06, [32] =
     0.0260438419, [33] = 4.51664412e-05, [34] = 2.6602502e-05, [35] = 0.0287577954, [36] =
     0.000200025742, [37] = 0.0440313483, [38] = 0.0048419889, [39] = 0.00918681779, [40] =
     2.49968399e-05, [41] = 0.00518162121, [42] = 3.18562841e-06, [43] = 1.21211123e-05, [44] =
     0.157347186, [45] = 8.67186518e-06, [46] = 0.000191632569, [47] = 1.81342765e-06}},
    {.seed = 716416964u, .n_prompt = 6, .prompt = {5, 10, 32, 20, 35, 26}, .n_answer = 11, .answer
     = {19, 8, 14, 24, 0, 37, 6, 9, 14, 4, 10}, .options = {.repetition_penalty = 1.0f,
     .presence_penalty = -0.4f, .frequency_penalty = 0.0f, .temperature = 1.9f, .top_k = 0, .top_p
     = 0.97f, .min_p = 0.05f}, .left = {[0] = 0.0252935399, [1] = 0.0306265396, [3] = 0.0155232179,
     [4] = 0.0113577951, [5] = 0.0164530186, [6] = 0.0166042622, [7] = 0.00948571647, [8] =
     0.0201531719, [13] = 0.0600634791, [14] = 0.0144437579, [15] = 0.00985566607, [17] =
     0.043373455, [18] = 0.00758522071, [19] = 0.129438705, [20] = 0.0293762453, [21] =
     0.0415645426, [23] = 0.0413933236, [24] = 0.110400487, [25] = 0.0252222596, [27] =
     0.0117887368, [28] = 0.00990164055, [30] = 0.0120719434, [32] = 0.0242538675, [34] =
     0.00668527334, [36] = 0.0704461246, [38] = 0.00964131785, [39] = 0.0420579716, [40] =
     0.0884524618, [42] = 0.015330383, [44] = 0.01828314, [45] = 0.0328727366}},
};
// clang-format on
