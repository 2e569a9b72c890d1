"""How the general documents begin: short everyday openings, written for this project.

They range over stories, letters, instructions, explanations, reports and talk, so that the
documents cover more of the model's English than one genre would.
"""

OPENINGS = (
    # stories
    "Last summer my sister and I",
    "The old man opened the door and",
    "It had been raining all day when",
    "When the bus finally came,",
    "Early in the morning the farmer",
    "The two friends had not seen each other for",
    "On the first day at her new school, Emma",
    "Nobody in the village knew why",
    "As soon as the lights went out,",
    "The dog waited at the gate until",
    "My grandmother always told us that",
    "There was once a small town by the sea where",
    # letters and diaries
    "Dear Anna, thank you for",
    "Dear neighbors, we are writing to",
    "I am writing to tell you about",
    "Today was a long day at work because",
    "We arrived at the hotel late in the evening and",
    "I have been thinking about",
    # instructions
    "To make a good cup of tea,",
    "Before you paint a wall,",
    "The best way to learn a language is",
    "If you want to grow tomatoes at home,",
    "When you clean the kitchen,",
    "To fix a flat bicycle tire,",
    "Here is how to pack a suitcase:",
    "If your child has a cold,",
    "A simple soup can be made from",
    "Before a long walk in the mountains,",
    # explanations
    "Rain falls when",
    "Bees are important because",
    "The heart is a muscle that",
    "A bridge must be strong enough to",
    "Most birds fly south in winter because",
    "The Moon looks different every night because",
    "People have used money for",
    "A good night's sleep helps",
    "Trees need water and light to",
    "In the past, most families",
    "Bread has been baked for",
    "The main difference between cats and dogs is",
    # reports
    "The city council decided on Monday to",
    "The new library in the center of town",
    "The match ended late on Saturday after",
    "A storm crossed the coast last night and",
    "The museum will open its doors again",
    "According to the teacher, the students",
    "The company has announced that",
    "Workers at the station said that",
    # descriptions and opinions
    "The market is busiest on Fridays, when",
    "From the top of the hill you can see",
    "The room was small, but",
    "My favorite season is",
    "The best thing about living in a big city is",
    "I used to think that",
    "Reading a book is better than",
    "Some people like to travel, but",
    "It is often said that",
    "A good friend is someone who",
    "Playing music together",
    "Many parents worry about",
)
